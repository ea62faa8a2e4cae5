//! One shape for what is read the same, however it is written down.

use serde::Deserialize;

use super::text;

mod here {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct Point {
        #[expect(dead_code)]
        x: u8,
    }
}

mod there {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct Point {
        #[expect(dead_code)]
        x: u8,
    }
}

#[test]
fn alike_from_two_places_is_the_same() {
    assert_eq!(
        text::<(here::Point, there::Point)>(),
        text::<(here::Point, here::Point)>()
    );
    assert_eq!(
        text::<(here::Point, there::Point)>(),
        r#"tuple (struct "Point" {"x": u8} * 2)"#
    );
}

mod unrolled {
    use serde::Deserialize;

    /// As [`super::List`], with its first element outside of itself.
    #[derive(Deserialize)]
    #[serde(rename = "List")]
    pub(super) struct First {
        #[expect(dead_code)]
        next: Option<Box<super::List>>,
    }
}

#[derive(Deserialize)]
struct List {
    #[expect(dead_code)]
    next: Option<Box<List>>,
}

#[test]
fn an_unrolled_list_is_the_same_list() {
    assert_eq!(text::<unrolled::First>(), text::<List>());
    assert_eq!(text::<List>(), r#"struct "List" {"next": option #0}"#);
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Even {
    odd: Option<Box<Odd>>,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Odd {
    even: Option<Box<Even>>,
    also: Option<Box<Odd>>,
}

#[test]
fn mutual_recursion_ends() {
    assert_eq!(
        text::<Even>(),
        r#"struct "Even" {"odd": option struct "Odd" {"even": option #0, "also": #1}}"#
    );
}

#[test]
fn names_are_quoted() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Odd {
        #[serde(rename = "a\": u8, \"b\\")]
        a: u8,
    }
    assert_eq!(text::<Odd>(), r#"struct "Odd" {"a\": u8, \"b\\": u8}"#);
}
