//! How everything is measured: in turns, on threads that stay on their core, beside a loop of arithmetic.

use std::hint::black_box;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

use crate::figure::Figure;
use crate::machine;

/// Each figure is the least of so many rounds.
const ROUNDS: u32 = 200;

pub struct Bench {
    quick: bool,
    cores: Vec<CoreId>,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    group: &'static str,
    /// The least that the control took, and the worst quotient of its median and its least.
    control: (f64, f64),
}

impl Bench {
    pub fn new(quick: bool) -> Self {
        Self {
            quick,
            cores: core_affinity::get_core_ids().unwrap_or_default(),
            started: Instant::now(),
            state: Mutex::new(State {
                group: "",
                control: (f64::INFINITY, 1.0),
            }),
        }
    }

    /// `usual`, or with `--quick` what only shows that it runs.
    pub fn or_quick<T>(&self, usual: T, quick: T) -> T {
        if self.quick { quick } else { usual }
    }

    pub fn rounds(&self) -> u32 {
        self.or_quick(ROUNDS, 2)
    }

    pub fn cores(&self) -> usize {
        self.cores.len()
    }

    /// What was run on what, and when.
    pub fn describe(&self) -> String {
        let quick = self.or_quick("", "; --quick: these figures are no evidence");
        format!(
            "{}, least of {} rounds in turn{quick}",
            machine::describe(),
            self.rounds()
        )
    }

    pub fn describe_control(&self) -> String {
        let (least, spread) = self.state().control;
        if least.is_infinite() {
            return "control: nothing was timed in rounds".to_owned();
        }
        let verdict = if spread < 1.1 {
            "the machine was quiet"
        } else {
            "something else was running: measure again"
        };
        format!(
            "control: an arithmetic loop took {:.3} us, its median up to {spread:.2} times that; {verdict}",
            least * 1e6
        )
    }

    pub fn begin(&self, group: &'static str) {
        self.state().group = group;
        self.progress("begins");
    }

    pub fn end(&self) {
        if io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }

    /// One line that is written over, where somebody looks at it.
    pub fn progress(&self, what: &str) {
        let (elapsed, group) = (self.started.elapsed().as_secs(), self.state().group);
        if io::stderr().is_terminal() {
            eprint!("\r\x1b[K[{elapsed:4} s] {group}: {what}");
            // Progress that can't be shown is no reason to stop.
            let _ = io::stderr().flush();
        } else if what == "begins" {
            eprintln!("[{elapsed:4} s] {group}");
        }
    }

    /// Runs `work` on a thread of its own that stays on one core. A server or a build that it started would stay there, too.
    pub fn pinned<T: Send>(&self, core: usize, work: impl FnOnce() -> T + Send) -> T {
        let core = self.cores.get(core).copied();
        thread::scope(|scope| {
            let worker = scope.spawn(move || {
                if let Some(core) = core {
                    core_affinity::set_for_current(core);
                }
                work()
            });
            worker.join().expect("what is measured doesn't panic")
        })
    }

    /// Pins the thread that calls it.
    pub fn pin(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            core_affinity::set_for_current(*core);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_control(&self, samples: &mut [f64]) {
        samples.sort_by(f64::total_cmp);
        let (least, median) = (samples[0], samples[samples.len() / 2]);
        let control = &mut self.state().control;
        *control = (control.0.min(least), control.1.max(median / least));
    }
}

/// A name, and what takes one sample: the time of one call.
type Contestant<'a> = (String, Box<dyn FnMut() -> f64 + 'a>);

/// What takes turns.
#[derive(Default)]
pub struct Rounds<'a>(Vec<Contestant<'a>>);

impl<'a> Rounds<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    /// `run` makes the number of calls that it is told.
    pub fn add(self, name: &str, calls: u32, mut run: impl FnMut(u32) + 'a) -> Self {
        self.timed(name, calls, move || {
            let started = Instant::now();
            run(calls);
            started.elapsed()
        })
    }

    /// `run` makes its calls and says how long they took, so that it can prepare something.
    pub fn timed(mut self, name: &str, calls: u32, mut run: impl FnMut() -> Duration + 'a) -> Self {
        // A `Duration` counts whole nanoseconds, which are too coarse for one call.
        let sample = move || run().as_secs_f64() / f64::from(calls);
        self.0.push((name.to_owned(), Box::new(sample)));
        self
    }

    pub fn run(mut self, bench: &Bench, rounds: u32) -> Times {
        let mut least = vec![f64::INFINITY; self.0.len()];
        let mut control = Vec::new();
        for round in 1..=rounds {
            if round == 1 || round % 10 == 0 {
                bench.progress(&format!("round {round} of {rounds}"));
            }
            control.push(arithmetic());
            for (least, (_, sample)) in least.iter_mut().zip(&mut self.0) {
                *least = least.min(sample());
            }
        }
        bench.note_control(&mut control);
        Times(
            self.0
                .into_iter()
                .map(|(name, _)| name)
                .zip(least)
                .collect(),
        )
    }
}

/// Work that no cache and no other thread has to do with.
fn arithmetic() -> f64 {
    let started = Instant::now();
    let mut state = 1_u64;
    for _ in 0..10_000 {
        state = black_box(state)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
    }
    black_box(state);
    started.elapsed().as_secs_f64()
}

/// Seconds for one call of each contestant, the least of all rounds.
pub struct Times(Vec<(String, f64)>);

impl Times {
    pub fn of(&self, name: &str) -> f64 {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.expect("it took part").1
    }

    /// The fastest of those that are named, with its name.
    pub fn fastest<'a>(&self, names: &[&'a str]) -> (&'a str, f64) {
        let times = names.iter().map(|name| (*name, self.of(name)));
        times
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("somebody is named")
    }

    /// All but those that are named, to be shown beside them.
    pub fn others(&self, but: &[&str]) -> Vec<(String, Figure)> {
        let others = self
            .0
            .iter()
            .filter(|(name, _)| !but.contains(&name.as_str()));
        others
            .map(|(name, time)| (name.clone(), Figure::Seconds(*time)))
            .collect()
    }
}
