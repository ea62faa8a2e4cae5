//! The parts of a key that is made without the attribute.

use std::fmt::Display;

use super::FullKey;

/// Parts of a key: a tuple, array, slice or `Vec` of anything with a `Display`, or one text.
///
/// Each part is escaped and they are joined with `:`. The trait is implemented here alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the parts of a key",
    label = "not a tuple, an array, a slice, a `Vec` or a text",
    note = "write a single part as a tuple: `Memo::new((7,))`"
)]
pub trait KeyParts: sealed::Write {}

#[diagnostic::do_not_recommend]
impl<P: sealed::Write> KeyParts for P {}

pub(crate) mod sealed {
    use super::super::FullKey;

    pub trait Write {
        #[doc(hidden)]
        #[expect(
            private_interfaces,
            reason = "sealed: nobody else implements or calls it"
        )]
        fn write(self, key: &mut FullKey);
    }
}

fn write_all<'a, P: Display + 'a>(parts: impl IntoIterator<Item = &'a P>, key: &mut FullKey) {
    let mut parts = parts.into_iter().peekable();
    if parts.peek().is_none() {
        // Not the same as one empty text; no value can hold a parenthesis.
        key.literal("()");
    }
    for (index, part) in parts.enumerate() {
        if index > 0 {
            key.separator();
        }
        key.shown(part);
    }
}

macro_rules! lists {
    ($(($($generics:tt)*) $list:ty),* $(,)?) => {$(
        #[expect(private_interfaces, reason = "sealed: nobody else implements or calls it")]
        impl<$($generics)*> sealed::Write for $list {
            fn write(self, key: &mut FullKey) {
                write_all(self.iter(), key);
            }
        }
    )*};
}

lists! {
    (P: Display, const N: usize) [P; N],
    (P: Display, const N: usize) &[P; N],
    (P: Display) &[P],
    (P: Display) Vec<P>,
    (P: Display) &Vec<P>,
}

macro_rules! tuples {
    ($($first:ident $($rest:ident)*),* $(,)?) => {$(
        #[expect(private_interfaces, reason = "sealed: nobody else implements or calls it")]
        impl<$first: Display, $($rest: Display),*> sealed::Write for ($first, $($rest,)*) {
            #[expect(non_snake_case, reason = "a type parameter's name serves for its value")]
            fn write(self, key: &mut FullKey) {
                let ($first, $($rest,)*) = &self;
                key.shown($first);
                $(
                    key.separator();
                    key.shown($rest);
                )*
            }
        }
    )*};
}

tuples! { A, A B, A B C, A B C D, A B C D E, A B C D E F, A B C D E F G, A B C D E F G H }

macro_rules! texts {
    ($($text:ty),*) => {$(
        #[expect(private_interfaces, reason = "sealed: nobody else implements or calls it")]
        impl sealed::Write for $text {
            fn write(self, key: &mut FullKey) {
                key.shown(&self);
            }
        }
    )*};
}

texts! { &str, String, &String }
