//! Random sequences of everything one can do with a memoized function, against a plain map.
//!
//! `MODEL_SEQUENCES` sets how many and `MODEL_SEED` draws others; the default is what CI runs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::time::{Duration, Instant};

use cache_memoize::{Runtime, cache_memoize};
use memoize_runtime::testing::ManualClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

const LIFE_MS: u64 = 1000;

/// How many operations a sequence has.
const STEPS: usize = 50;

/// Far enough from zero for a clock that is turned back.
const START: u64 = 1 << 40;

thread_local! {
    /// What the function would return now, and how often it ran.
    static WORLD: RefCell<World> = RefCell::default();
}

#[derive(Default)]
struct World {
    version: u64,
    runs: u64,
}

/// Fails for odd versions of argument 0, so that errors are met too.
#[cache_memoize(key = "model:<argument>", expiration = 1, force_overwrite = overwrite, cache_if = |value| value % 5 != 0, skip(overwrite))]
fn function(argument: u8, overwrite: bool) -> Result<u64, u64> {
    WORLD.with_borrow_mut(|world| {
        world.runs += 1;
        answer(world.version, argument)
    })
}

fn answer(version: u64, argument: u8) -> Result<u64, u64> {
    let value = version * 10 + u64::from(argument);
    if argument == 0 && version % 2 == 1 {
        Err(value)
    } else {
        Ok(value)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Call(u8),
    Overwrite(u8),
    Refresh(u8),
    Peek(u8),
    Prime(u8, u64),
    Invalidate(u8),
    Uncached(u8),
    ChangeTheWorld,
    Advance(u64),
    TurnBack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let argument = 0_u8..3;
    prop_oneof![
        6 => argument.clone().prop_map(Step::Call),
        1 => argument.clone().prop_map(Step::Overwrite),
        1 => argument.clone().prop_map(Step::Refresh),
        2 => argument.clone().prop_map(Step::Peek),
        1 => (argument.clone(), 1000_u64..2000).prop_map(|(argument, value)| Step::Prime(argument, value)),
        1 => argument.clone().prop_map(Step::Invalidate),
        1 => argument.prop_map(Step::Uncached),
        3 => Just(Step::ChangeTheWorld),
        2 => (1..LIFE_MS + 2).prop_map(Step::Advance),
        1 => prop_oneof![1_u64..5_000, 59_990_u64..61_000].prop_map(Step::TurnBack),
    ]
}

/// The plain map, and the rules.
#[derive(Default)]
struct Model {
    now: u64,
    entries: HashMap<u8, Entry>,
    runs: u64,
}

struct Entry {
    value: u64,
    created: u64,
}

impl Model {
    fn cached(&self, argument: u8) -> Option<u64> {
        let entry = self.entries.get(&argument)?;
        // Not expired, and not from further in the future than two clocks may differ.
        let alive = self.now < entry.created + LIFE_MS && entry.created <= self.now + 60_000;
        alive.then_some(entry.value)
    }

    fn store(&mut self, argument: u8, value: u64) {
        let created = self.now;
        self.entries.insert(argument, Entry { value, created });
    }

    /// What is not to be kept removes what it was to replace.
    fn overwrite(&mut self, version: u64, argument: u8) -> Result<u64, u64> {
        let result = self.compute(version, argument);
        if result.is_ok_and(|value| value % 5 == 0) {
            self.entries.remove(&argument);
        }
        result
    }

    fn compute(&mut self, version: u64, argument: u8) -> Result<u64, u64> {
        self.runs += 1;
        let result = answer(version, argument);
        if let Ok(value) = result
            && value % 5 != 0
        {
            self.store(argument, value);
        }
        result
    }
}

fn run(steps: &[Step]) {
    let clock = ManualClock::new();
    let runtime = Runtime::builder()
        .clock(clock.clone())
        .build()
        .expect("valid settings");
    WORLD.set(World::default());
    let mut model = Model {
        now: START,
        ..Model::default()
    };
    runtime.scope(|| {
        for (index, step) in steps.iter().enumerate() {
            let version = WORLD.with_borrow(|world| world.version);
            match *step {
                Step::Call(argument) => {
                    let expected = match model.cached(argument) {
                        Some(value) => Ok(value),
                        None => model.compute(version, argument),
                    };
                    assert_eq!(function(argument, false), expected, "step {index}");
                }
                Step::Overwrite(argument) => {
                    let expected = model.overwrite(version, argument);
                    assert_eq!(function(argument, true), expected, "step {index}");
                }
                Step::Refresh(argument) => {
                    let expected = model.overwrite(version, argument);
                    assert_eq!(function::refresh(argument, false), expected, "step {index}");
                }
                Step::Peek(argument) => {
                    assert_eq!(
                        function::peek(argument),
                        model.cached(argument),
                        "step {index}"
                    );
                }
                Step::Prime(argument, value) => {
                    assert!(function::prime(argument, value), "step {index}");
                    model.store(argument, value);
                }
                Step::Invalidate(argument) => {
                    assert!(function::invalidate(argument), "step {index}");
                    model.entries.remove(&argument);
                }
                Step::Uncached(argument) => {
                    model.runs += 1;
                    assert_eq!(
                        function::uncached(argument, false),
                        answer(version, argument),
                        "step {index}"
                    );
                }
                Step::ChangeTheWorld => WORLD.with_borrow_mut(|world| world.version += 1),
                Step::Advance(by) => {
                    clock.advance(Duration::from_millis(by));
                    model.now += by;
                }
                Step::TurnBack(by) => {
                    clock.turn_back(Duration::from_millis(by));
                    model.now -= by;
                }
            }
            assert_eq!(
                WORLD.with_borrow(|world| world.runs),
                model.runs,
                "step {index}"
            );
        }
    });
}

#[test]
fn behaves_like_a_plain_map() {
    let number = |variable: &str| env::var(variable).ok().map(|given| given.parse());
    let number = |variable| number(variable).map(|number| number.expect("a number"));
    let sequences = number("MODEL_SEQUENCES").unwrap_or(1000);
    let seed = number("MODEL_SEED").unwrap_or(1);
    let config = Config {
        cases: sequences,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed.into()),
        ..Config::default()
    };
    let started = Instant::now();
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), STEPS), |steps| {
            run(&steps);
            Ok(())
        })
        .expect("every sequence agrees with the model");
    test_servers::shown!(
        "model: {sequences} sequences of {STEPS} operations, seed {seed}, {:.1?}",
        started.elapsed()
    );
}
