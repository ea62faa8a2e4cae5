//! Everything goes wrong at once, for as long as one likes: no call gets a wrong value, loses its error, or waits for the cache.
//!
//! `STORM_CALLS=10000000 STORM_SEED=7 cargo test --release --test storm -- --nocapture` for a long one; the default is what CI runs.

use std::env;
use std::panic::{catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ScopedJoinHandle, Thread};
use std::time::{Duration, Instant};

use cache_memoize::{Clock, Memory, Runtime, RuntimeBuilder, Stats, cache_memoize};
use futures::stream::{self, Stream, StreamExt};
use memoize_runtime::testing::{Fault, Faulty, ManualClock, flights};
use serde::{Deserialize, Serialize};
use smol::future::yield_now;
use test_servers::Random;

const THREADS: usize = 8;
const KEYS: u64 = 200;

/// How likely each fault is, wherever it can strike.
const RATE: f64 = 0.02;

/// Entries live for a minute, and a minute passes every so many calls.
const LIFE_MS: u64 = 60_000;
const CALLS_A_LIFE: u64 = 1000;

/// How much older than its life a value may seem: the clock goes on in the middle of a call, by up to four minutes and the one
/// that was being added when it began.
const SLACK_MS: u64 = 5 * LIFE_MS;

/// What a call may wait for another that computes its value.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// A question that takes for ever costs a call no more than this.
const BUDGET: Duration = Duration::from_millis(100);

/// What a call may take in all, on a machine that has something else to do.
const PATIENCE: Duration = Duration::from_secs(10);

static CLOCK: LazyLock<ManualClock> = LazyLock::new(ManualClock::new);

/// When the call that each thread is in the middle of began, or one of these. While one lasts, the clock waits for it: a
/// computation that the system has put aside would otherwise seem as old as everybody else was fast.
static BEGAN_MS: [AtomicU64; THREADS] = [const { AtomicU64::new(NO_CALL) }; THREADS];

const NO_CALL: u64 = u64::MAX;
const BEGINNING: u64 = 0;

/// Held by who lets a minute pass.
static PASSING: Mutex<()> = Mutex::new(());

fn let_a_minute_pass() {
    let _passing = PASSING.lock().expect("nobody panics with it");
    let latest = CLOCK.unix_millis() - (SLACK_MS - LIFE_MS);
    if BEGAN_MS
        .iter()
        .all(|began| began.load(Ordering::SeqCst) > latest)
    {
        CLOCK.advance(Duration::from_millis(LIFE_MS));
    }
}

/// Makes a call, of which the clock knows.
fn in_sight_of_the_clock(thread: usize, call: impl FnOnce()) {
    BEGAN_MS[thread].store(BEGINNING, Ordering::SeqCst);
    BEGAN_MS[thread].store(CLOCK.unix_millis(), Ordering::SeqCst);
    call();
    BEGAN_MS[thread].store(NO_CALL, Ordering::SeqCst);
}

/// A value that says what it was computed for, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stamped {
    function: u8,
    key: u64,
    born_ms: u64,
    padding: Vec<u64>,
}

impl Stamped {
    /// As a body computes it: short, long enough to be compressed, or in chunks.
    fn new(function: u8, key: u64) -> Self {
        let length = match key % 8 {
            0 => 800,
            1 => 150,
            _ => key % 5,
        };
        Self {
            function,
            key,
            born_ms: CLOCK.unix_millis(),
            padding: (0..length).map(|n| n * key).collect(),
        }
    }

    #[track_caller]
    fn check(&self, function: u8, key: u64, asked_ms: u64) {
        let born_ms = self.born_ms;
        let expected = Self {
            born_ms,
            ..Self::new(function, key)
        };
        assert_eq!(*self, expected, "a wrong value");
        let age_ms = asked_ms.saturating_sub(born_ms);
        assert!(age_ms <= LIFE_MS + SLACK_MS, "a value of {age_ms} ms ago");
    }
}

#[cache_memoize(key = "value:<key>", expiration = "60s")]
fn value(key: u64) -> Stamped {
    Stamped::new(0, key)
}

fn fails(key: u64) -> bool {
    key % 7 == 3
}

#[cache_memoize(key = "fallible:<key>", expiration = "60s")]
fn fallible(key: u64) -> Result<Stamped, u64> {
    if fails(key) {
        Err(key)
    } else {
        Ok(Stamped::new(1, key))
    }
}

fn panics(key: u64) -> bool {
    key % 11 == 5
}

#[cache_memoize(key = "panicking:<key>", expiration = "60s")]
fn panicking(key: u64) -> Stamped {
    if panics(key) {
        // Without a message on the screen.
        resume_unwind(Box::new(key));
    }
    Stamped::new(2, key)
}

/// Sealed where it can be, and then of a kind of its own.
#[cfg_attr(
    feature = "encrypt",
    cache_memoize(key = "sealed:<key>", expiration = "60s", encrypt)
)]
#[cfg_attr(
    not(feature = "encrypt"),
    cache_memoize(key = "sealed:<key>", expiration = "60s")
)]
fn sealed(key: u64) -> Stamped {
    Stamped::new(3, key)
}

#[cache_memoize(key = "awaited:<key>", expiration = "60s")]
async fn awaited(key: u64) -> Result<Stamped, u64> {
    if fails(key) {
        Err(key)
    } else {
        Ok(Stamped::new(4, key))
    }
}

/// In up to a dozen chunks.
#[cache_memoize(key = "items:<key>", expiration = "60s")]
fn items(key: u64) -> impl Iterator<Item = Stamped> {
    (0..key % 300).map(move |nth| {
        let name = key * 1000 + nth;
        Stamped {
            padding: vec![name; 12],
            ..Stamped::new(5, name)
        }
    })
}

/// The same, awaited, and with a pause after each item, so that tasks meet in the middle.
#[cache_memoize(key = "rows:<key>", expiration = "60s")]
fn rows(key: u64) -> impl Stream<Item = Stamped> {
    stream::iter(items::uncached(key)).then(|item| async {
        yield_now().await;
        item
    })
}

#[cache_memoize(key = "tries:<key>", expiration = "60s")]
async fn tries(key: u64) -> impl Stream<Item = Result<u64, u64>> {
    stream::iter(attempts::uncached(key))
}

#[cache_memoize(key = "attempts:<key>", expiration = "60s")]
fn attempts(key: u64) -> impl Iterator<Item = Result<u64, u64>> {
    (0..key % 100).map(move |nth| {
        if fails(key) && nth == 50 {
            Err(key)
        } else {
            Ok(key * 1000 + nth)
        }
    })
}

/// One call of any of them, held against what the plain function gives.
fn call(random: &mut Random) {
    let key = random.below(KEYS);
    let asked_ms = CLOCK.unix_millis();
    match random.below(20) {
        0..4 => value(key).check(0, key, asked_ms),
        4 | 5 => check_attempt(fallible(key), 1, key, asked_ms),
        6 => match catch_unwind(|| panicking(key)) {
            Ok(value) => {
                assert!(!panics(key), "a panic is lost");
                value.check(2, key, asked_ms);
            }
            Err(payload) => assert_eq!(payload.downcast_ref(), Some(&key), "another's panic"),
        },
        7 | 8 => sealed(key).check(3, key, asked_ms),
        9 | 10 => check_attempt(block_on(awaited(key)), 4, key, asked_ms),
        11 => check_items(items(key), key, asked_ms),
        12 => {
            let some = usize::try_from(random.below(300)).expect("it is small");
            // Dropped before its end, most times.
            let taken = items(key).take(some).count();
            let length = usize::try_from(key % 300).expect("it is small");
            assert_eq!(taken, length.min(some), "items are lost or repeated");
        }
        13 => assert!(attempts(key).eq(attempts::uncached(key)), "of {key}"),
        14 => {
            value::invalidate(key);
            items::invalidate(key);
            block_on(rows::invalidate(key));
            value::refresh(key).check(0, key, asked_ms);
        }
        15 => check_items(block_on(rows(key).collect::<Vec<_>>()), key, asked_ms),
        16 => {
            let some = usize::try_from(random.below(300)).expect("it is small");
            let taken = block_on(rows(key).take(some).count());
            let length = usize::try_from(key % 300).expect("it is small");
            assert_eq!(taken, length.min(some), "items are lost or repeated");
        }
        17 => {
            let tried: Vec<_> = block_on(async { tries(key).await.collect().await });
            assert!(tried.into_iter().eq(attempts::uncached(key)), "of {key}");
        }
        18 => {
            // One task that reads two at a time: the one may follow the other.
            let both = block_on(rows(key).zip(rows(key)).collect::<Vec<_>>());
            let (one, other): (Vec<_>, Vec<_>) = both.into_iter().unzip();
            check_items(one, key, asked_ms);
            check_items(other, key, asked_ms);
        }
        _ => {
            sealed::prime(key, Stamped::new(3, key));
            if let Some(found) = sealed::peek(key) {
                found.check(3, key, asked_ms);
            }
            block_on(awaited::invalidate(key));
        }
    }
}

#[track_caller]
fn check_attempt(result: Result<Stamped, u64>, function: u8, key: u64, asked_ms: u64) {
    match result {
        Ok(value) => {
            assert!(!fails(key), "an error is lost");
            value.check(function, key, asked_ms);
        }
        Err(error) => {
            assert_eq!(error, key, "another's error");
            assert!(fails(key), "an error that the function didn't return");
        }
    }
}

#[track_caller]
fn check_items(items: impl IntoIterator<Item = Stamped>, key: u64, asked_ms: u64) {
    let mut count = 0;
    for (nth, item) in (0..).zip(items) {
        let name = key * 1000 + nth;
        let expected = (5, name, vec![name; 12]);
        assert_eq!(
            (item.function, item.key, item.padding),
            expected,
            "a wrong item"
        );
        assert!(asked_ms.saturating_sub(item.born_ms) <= LIFE_MS + SLACK_MS);
        count += 1;
    }
    assert_eq!(count, key % 300, "items are lost or repeated");
}

#[test]
fn no_call_notices_what_goes_wrong() {
    let calls = number("STORM_CALLS", 20_000);
    storm("", calls, |faulty| {
        vec![runtime(Runtime::builder(), faulty)]
    });
}

/// By processes on both sides of a rotation and in the middle of it: what one reads it seals anew, and of what it writes it may never learn
/// whether it is there.
#[cfg(feature = "encrypt")]
#[test]
fn nor_that_secrets_are_rotated() {
    let secret = |last: &str| {
        let text = format!("9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a{last}");
        cache_memoize::Secret::from_hex(&text).expect("it is random")
    };
    let calls = number("STORM_CALLS", 20_000) / 4;
    let stats = storm("rotation ", calls, |faulty| {
        let sides = [("01", None), ("01", Some("02")), ("02", Some("01"))];
        let side = |(current, previous): (&str, Option<&str>)| {
            let settings = Runtime::builder().secret(secret(current));
            let settings = match previous {
                Some(previous) => settings.previous_secret(secret(previous)),
                None => settings,
            };
            runtime(settings.force_encryption(true), faulty.clone())
        };
        sides.map(side).into()
    });
    let [_, between, ahead] = &stats[..] else {
        unreachable!("there are three");
    };
    assert!(between.resealed > 0 && ahead.resealed > 0, "{stats:?}");
}

/// One at a time, as they share the clock.
static STORM: Mutex<()> = Mutex::new(());

/// Calls from all threads, each in one of the processes that `runtimes` has over one backend; what these counted.
fn storm(
    name: &str,
    calls: u64,
    runtimes: impl FnOnce(Faulty<Memory>) -> Vec<Runtime>,
) -> Vec<Stats> {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = number("STORM_SEED", 1);
    let started = Instant::now();
    let faulty = Faulty::new(Memory::new(64 << 20), seed)
        .all(RATE)
        .rate(Fault::Delay, RATE / 20.0)
        .delay(Duration::from_secs(3600))
        .value_bytes(2048);
    let runtimes = runtimes(faulty.clone());
    let made = AtomicU64::new(0);
    let waits: Vec<Histogram> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|nth| {
                let (runtime, made) = (&runtimes[nth % runtimes.len()], &made);
                let mut random = Random::new(seed.wrapping_mul(THREADS as u64) + nth as u64);
                scope.spawn(move || {
                    let mut waits = Histogram::default();
                    while made.fetch_add(1, Ordering::Relaxed) < calls {
                        if random.below(CALLS_A_LIFE) == 0 {
                            let_a_minute_pass();
                        }
                        let started = Instant::now();
                        in_sight_of_the_clock(nth, || runtime.scope(|| call(&mut random)));
                        waits.add(started.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let threads = threads.into_iter().map(ScopedJoinHandle::join);
        threads
            .map(|waits| waits.expect("each call was as the plain function's"))
            .collect()
    });
    let waits = waits
        .into_iter()
        .fold(Histogram::default(), Histogram::plus);
    let stats: Vec<_> = runtimes.iter().map(Runtime::stats).collect();
    let struck = Fault::ALL.map(|fault| (fault, faulty.count(fault)));
    test_servers::shown!(
        "{name}storm: {calls} calls of {THREADS} threads, seed {seed}, {:.1?}; the median call took up to {:?}, 99.9 % up to {:?}, the longest {:?}\n\
         {struck:?}\n{:?}",
        started.elapsed(),
        waits.quantile(0.5),
        waits.quantile(0.999),
        waits.longest,
        stats
    );
    assert!(struck.iter().all(|(_, count)| *count > 0), "{struck:?}");
    assert!(waits.longest < PATIENCE, "{:?}", waits.longest);
    for runtime in &runtimes {
        assert_eq!(flights(runtime), 0);
        recovers(runtime, &faulty);
    }
    stats
}

/// When nothing goes wrong any more, calls hit again.
fn recovers(runtime: &Runtime, faulty: &Faulty<Memory>) {
    faulty.stop();
    let before = runtime.stats().hits;
    let started = Instant::now();
    while runtime.stats().hits == before {
        assert!(started.elapsed() < Duration::from_secs(60), "no hit");
        runtime.scope(|| value(2));
    }
}

fn runtime(settings: RuntimeBuilder, faulty: Faulty<Memory>) -> Runtime {
    settings
        .backend(faulty)
        .clock(CLOCK.clone())
        .longest_wait(LONGEST_WAIT)
        .budget(BUDGET)
        .build()
        .expect("valid settings")
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |given| given.parse().expect("a number"))
}

/// How long calls took, by powers of two of microseconds.
#[derive(Clone, Copy, Default)]
struct Histogram {
    counts: [u64; 32],
    longest: Duration,
}

impl Histogram {
    fn add(&mut self, time: Duration) {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let at = micros.checked_ilog2().map_or(0, |power| power as usize);
        self.counts[at] += 1;
        self.longest = self.longest.max(time);
    }

    fn plus(mut self, other: Self) -> Self {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.longest = self.longest.max(other.longest);
        self
    }

    /// The time that this part of all calls stayed below.
    fn quantile(&self, part: f64) -> Duration {
        let total: u64 = self.counts.iter().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank need not be exact"
        )]
        let rank = (total as f64 * part) as u64;
        let mut below = 0;
        let at = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        });
        Duration::from_micros(2 << at.unwrap_or(31))
    }
}

/// Waits on this thread, without an async runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
