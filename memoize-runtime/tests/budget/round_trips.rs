//! What is asked, and how often.

use std::time::Duration;

use cache_memoize::Memo;

use super::{CALLS, Server, build, plain, settings};

#[test]
fn a_miss_takes_a_question_and_an_answer_and_a_hit_one_of_them() {
    for call in CALLS {
        let server = Server::new();
        build(settings(&server)).scope(|| {
            assert_eq!((call(1), server.asked()), (1, vec!["get_or_lease", "fill"]));
            assert_eq!((call(2), server.asked()), (1, vec!["get_or_lease"]));
            assert!(Memo::new("k").invalidate());
            assert_eq!(server.asked(), ["get", "delete"]);
            let failed: Result<u32, ()> = Memo::new("k").try_get_or_compute(|| Err(()));
            assert_eq!(failed, Err(()));
            assert_eq!(server.asked(), ["get_or_lease", "release"]);
            assert_eq!(plain::peek(), None);
            assert_eq!(
                server.asked(),
                ["get"],
                "nobody is kept from computing by a look"
            );
        });
    }
}

#[test]
fn what_is_not_to_be_stored_takes_no_lease() {
    let server = Server::new();
    build(settings(&server)).scope(|| {
        let memo = Memo::new("k").expiration(Duration::ZERO);
        assert_eq!(memo.get_or_compute(|| 1), 1);
        assert_eq!(server.asked(), ["get"]);
    });
}

#[test]
fn a_stream_takes_its_lease_with_the_lookup() {
    let server = Server::new();
    build(settings(&server)).scope(|| {
        let rows = |first: u8| Memo::new("rows").iter(move || first..first + 3);
        assert_eq!(rows(0).count(), 3);
        assert_eq!(server.asked(), ["get_or_lease", "set", "fill"]);
        assert_eq!(rows(10).next(), Some(0));
        assert_eq!(server.asked(), ["get_or_lease", "get_many"]);
    });
}

#[test]
fn of_two_streams_at_one_time_the_first_is_stored() {
    let server = Server::new();
    let runtime = build(settings(&server));
    // As in another process: in one, the second follows the first.
    let elsewhere = build(settings(&server));
    runtime.scope(|| {
        let rows = |first: u8| Memo::new("rows").iter(move || first..first + 3);
        let (first, second) = (rows(0), elsewhere.scope(|| rows(10)));
        assert_eq!(second.count(), 3);
        assert_eq!(
            server.asked(),
            ["get_or_lease", "get_or_lease"],
            "no chunk for nothing"
        );
        assert_eq!(first.count(), 3);
        assert_eq!(rows(20).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(Memo::new("rows").invalidate());
        drop(rows(30));
        assert_eq!(
            rows(40).last(),
            Some(42),
            "who is dropped is in nobody's way"
        );
        assert_eq!(rows(50).last(), Some(42));
    });
    assert_eq!(elsewhere.stats().outdated, 1);
}
