use super::*;
use crate::flight::block_on;
use crate::shim::check;
use std::pin::pin;

const CHUNK: usize = 100;
const EXPIRES_MS: u64 = 3;

fn publisher(writers: &Writers) -> Publisher {
    let origin = Origin::of(1, EXPIRES_MS, CHUNK);
    writers
        .enter("name", origin, Caller::Task, None)
        .expect("it is the first")
}

/// What is there for a follower on another thread; none where it would wait.
fn view(progress: &Progress, supplied: u64) -> Option<View> {
    block_on(
        pin!(progress.view(supplied, Caller::Task)),
        Some(Instant::now()),
    )
}

#[test]
fn what_is_kept_is_what_is_not_stored() {
    check(|| {
        let publisher = publisher(&Writers::new());
        let progress = &publisher.progress;
        for n in 0..100_000_u32 {
            publisher.wrote(&n.to_le_bytes());
            if lock(&progress.state).tail.len() >= CHUNK {
                publisher.stored();
            }
            let state = lock(&progress.state);
            assert!(state.tail.len() < CHUNK && state.tail.capacity() <= 4 * CHUNK);
        }
        assert_eq!(view(progress, 0), Some(View::Stored(4000)));
        publisher.wrote(&vec![0; 100 * CHUNK]);
        (0..100).for_each(|_| publisher.stored());
        assert!(lock(&progress.state).tail.capacity() <= 4 * CHUNK);
    });
}

#[test]
fn each_position_has_its_view() {
    check(|| {
        let writers = Writers::new();
        let publisher = publisher(&writers);
        let progress = Arc::clone(&publisher.progress);
        assert_eq!(view(&progress, 0), None);
        publisher.wrote(&[1; 150]);
        let unstored = |len| Some(View::Unstored(Hidden(vec![1; len].into())));
        assert_eq!(view(&progress, 0), unstored(150));
        publisher.stored();
        assert_eq!(view(&progress, 99), Some(View::Stored(1)));
        assert_eq!(view(&progress, 100), unstored(50));
        assert_eq!(view(&progress, 149), unstored(1));
        assert_eq!(view(&progress, 150), None);
        publisher.ended();
        assert_eq!(view(&progress, 149), unstored(1));
        let whole = View::Whole {
            raw_len: 150,
            items: 1,
        };
        assert_eq!(view(&progress, 150), Some(whole));
        drop(publisher);
        assert_eq!(view(&progress, 149), unstored(1), "it was whole before");
        assert_eq!(writers.len(), 0);
    });
}

#[test]
fn a_forked_child_waits_for_no_writer_of_its_parent() {
    check(|| {
        let publisher = publisher(&Writers::new());
        publisher.wrote(&[1; 10]);
        let State { stored, tail, .. } = &*lock(&publisher.progress.state);
        let in_the_child = Progress {
            process: process::id() ^ 1,
            state: Mutex::new(State {
                stored: *stored,
                tail: tail.clone(),
                ..State::default()
            }),
            ..Progress::new(
                "name",
                publisher.progress.origin.clone(),
                Caller::Task,
                None,
            )
        };
        let unstored = Some(View::Unstored(Hidden(vec![1; 10].into())));
        assert_eq!(view(&in_the_child, 0), unstored, "what there is is read");
        assert_eq!(view(&in_the_child, 10), Some(View::Broken));
    });
}

#[test]
fn who_waits_is_woken_when_the_writer_goes() {
    check(|| {
        let writers = Writers::new();
        let publisher = publisher(&writers);
        let progress = Arc::clone(&publisher.progress);
        let mut waits = pin!(progress.view(0, Caller::Task));
        assert_eq!(block_on(waits.as_mut(), Some(Instant::now())), None);
        assert_eq!(lock(&progress.state).sleepers.len(), 1);
        drop(publisher);
        assert!(lock(&progress.state).sleepers.is_empty());
        assert_eq!(block_on(waits, None), Some(View::Broken));
    });
}

#[test]
fn who_gives_up_leaves_no_waker_behind() {
    check(|| {
        let publisher = publisher(&Writers::new());
        let progress = &publisher.progress;
        for _ in 0..100 {
            assert_eq!(view(progress, 0), None);
        }
        assert!(lock(&progress.state).sleepers.is_empty());
        // One that is polled with another waker each time has the last one woken.
        let mut waits = pin!(progress.view(0, Caller::Task));
        for _ in 0..100 {
            assert_eq!(block_on(waits.as_mut(), Some(Instant::now())), None);
        }
        assert_eq!(lock(&progress.state).sleepers.len(), 1);
    });
}

#[test]
fn a_stall_counts_from_the_first_who_saw_it() {
    check(|| {
        let publisher = publisher(&Writers::new());
        let progress = &publisher.progress;
        let (began, longest) = (Instant::now(), Duration::from_secs(30));
        let at = |ms| began + Duration::from_millis(ms);
        let stalls_at = |ms| progress.stalls_at(at(ms), longest).expect("a moment");
        assert_eq!(stalls_at(0), at(30_000), "a query may be slow");
        assert_eq!(stalls_at(5_000), at(30_000));
        publisher.wrote(&[1]);
        assert_eq!(stalls_at(6_000), at(7_000));
        assert_eq!(stalls_at(6_900), at(7_000), "not from when this one came");
        publisher.wrote(&[1]);
        assert_eq!(stalls_at(8_000), at(9_000));
    });
}

#[test]
fn what_has_expired_is_not_handed_to_those_who_come() {
    check(|| {
        let writers = Writers::new();
        let publisher = publisher(&writers);
        let join = |now_ms| {
            let origin = publisher.progress.origin.clone();
            writers.join("name", origin, now_ms, Caller::Task, None)
        };
        assert!(matches!(join(EXPIRES_MS - 1), Joined::Follows(_)));
        let Joined::Writes(Some(newer)) = join(EXPIRES_MS) else {
            panic!("it writes, and may be followed");
        };
        assert!(matches!(join(EXPIRES_MS - 1), Joined::Follows(_)));
        drop(newer);
        assert_eq!(writers.len(), 0);
    });
}
