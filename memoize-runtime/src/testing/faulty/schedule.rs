//! Which fault comes when: drawn from a seed, free of I/O.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Fault, Injected};
use crate::backend::Bytes;

/// How many writes are remembered, to answer with what was there before or belongs to another key.
const REMEMBERED: usize = 256;

/// How many faults the log holds.
const LOGGED: usize = 4096;

pub(super) struct Schedule {
    seed: u64,
    /// In parts of 2^32.
    rates: [u64; Fault::ALL.len()],
    pub(super) delay: Duration,
    /// The last writes, the newest last.
    writes: VecDeque<(String, Bytes)>,
    /// Writes that will be made once more.
    again: Vec<Again>,
    operations: u64,
    counts: [u64; Fault::ALL.len()],
    log: VecDeque<Injected>,
}

/// A write that arrives a second time.
pub(super) struct Again {
    pub(super) key: String,
    pub(super) value: Bytes,
    pub(super) life: Duration,
}

/// What becomes of a question, whatever it asks.
pub(super) struct Asked {
    pub(super) again: Vec<Again>,
    pub(super) delay: Option<Duration>,
    pub(super) error: Option<Moment>,
    pub(super) turn: Turn,
}

/// One operation, with draws of its own: what strikes it depends on its number and not on what else goes on.
pub(super) struct Turn {
    nth: u64,
    operation: &'static str,
    random: SplitMix,
}

/// When a question fails: an error doesn't tell whether it was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// What becomes of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Once,
    Twice,
    Never,
    Refused,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            rates: [0; Fault::ALL.len()],
            delay: Duration::from_millis(1),
            writes: VecDeque::new(),
            again: Vec::new(),
            operations: 0,
            counts: [0; Fault::ALL.len()],
            log: VecDeque::new(),
        }
    }

    /// # Panics
    /// `rate` is no probability.
    pub(super) fn set_rate(&mut self, fault: Fault, rate: f64) {
        assert!(
            (0.0..=1.0).contains(&rate),
            "the rate of a fault is {rate}; give a probability from 0 to 1"
        );
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 2^32"
        )]
        let parts = (rate * 2_f64.powi(32)) as u64;
        self.rates[fault as usize] = parts;
    }

    pub(super) fn stop(&mut self) {
        self.rates = [0; Fault::ALL.len()];
        self.again.clear();
    }

    pub(super) fn count(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    pub(super) fn log(&self) -> Vec<Injected> {
        self.log.iter().copied().collect()
    }

    /// Begins an operation.
    pub(super) fn ask(&mut self, operation: &'static str) -> Asked {
        let mut turn = self.turn(operation);
        let delay = self.strikes(&mut turn, Fault::Delay).map(|_| self.delay);
        let error = self.strikes(&mut turn, Fault::Error).map(|mut random| {
            if random.below(2) == 0 {
                Moment::Before
            } else {
                Moment::After
            }
        });
        Asked {
            again: std::mem::take(&mut self.again),
            delay,
            error,
            turn,
        }
    }

    /// Whether an operation that nobody awaits is carried out.
    pub(super) fn lets_pass(&mut self, operation: &'static str) -> bool {
        let mut turn = self.turn(operation);
        self.strikes(&mut turn, Fault::Error).is_none()
    }

    fn turn(&mut self, operation: &'static str) -> Turn {
        self.operations += 1;
        Turn {
            nth: self.operations,
            operation,
            random: SplitMix(self.seed ^ SplitMix(self.operations).next()),
        }
    }

    /// What becomes of writing `value`.
    pub(super) fn write(
        &mut self,
        turn: &mut Turn,
        key: &str,
        value: &Bytes,
        life: Duration,
    ) -> Written {
        if self.strikes(turn, Fault::Full).is_some() {
            return Written::Refused;
        }
        if self.strikes(turn, Fault::LostWrite).is_some() {
            return Written::Never;
        }
        if self.strikes(turn, Fault::Duplicate).is_none() {
            return Written::Once;
        }
        if turn.operation != "fill" {
            self.again.push(Again {
                key: key.to_owned(),
                value: value.clone(),
                life,
            });
        }
        Written::Twice
    }

    /// What was written can be read in place of something else from now on.
    pub(super) fn wrote(&mut self, key: &str, value: Bytes) {
        if self.writes.len() == REMEMBERED {
            self.writes.pop_front();
        }
        self.writes.push_back((key.to_owned(), value));
    }

    /// What is answered in place of `found`.
    pub(super) fn reply(
        &mut self,
        turn: &mut Turn,
        key: &str,
        found: Option<Bytes>,
    ) -> Option<Bytes> {
        // Of several keys, what is under one doesn't move what strikes the next.
        let turn = &mut turn.part();
        let mut reply = self.swapped(turn, key).or(found);
        if self.strikes(turn, Fault::StaleRead).is_some() {
            let mut own = self.writes.iter().rev().filter(|(of, _)| of == key);
            reply = own.nth(1).map(|(_, value)| value.clone());
        }
        let mut bytes = reply?;
        if self.strikes(turn, Fault::LostChunk).is_some() {
            return None;
        }
        if !bytes.is_empty()
            && let Some(mut random) = self.strikes(turn, Fault::TornValue)
        {
            bytes = self.torn(key, &bytes, &mut random);
        }
        if !bytes.is_empty()
            && let Some(mut random) = self.strikes(turn, Fault::BitFlip)
        {
            let mut flipped = bytes.to_vec();
            let bit = random.below(flipped.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            bytes = flipped.into();
        }
        Some(bytes)
    }

    /// What was written under another key, where that is answered.
    pub(super) fn swapped(&mut self, turn: &mut Turn, key: &str) -> Option<Bytes> {
        if !self.writes.iter().any(|(of, _)| of != key) {
            return None;
        }
        let mut random = self.strikes(turn, Fault::SwappedReply)?;
        self.of_another(key, &mut random)
    }

    /// The start of `bytes`, and then nothing, or the end of what was written under another key.
    fn torn(&self, key: &str, bytes: &Bytes, random: &mut SplitMix) -> Bytes {
        let at = random.below(bytes.len());
        let mut torn = bytes[..at].to_vec();
        if random.below(2) == 0
            && let Some(other) = self.of_another(key, random)
        {
            torn.extend_from_slice(other.get(at..).unwrap_or_default());
        }
        torn.into()
    }

    fn of_another(&self, key: &str, random: &mut SplitMix) -> Option<Bytes> {
        let others = || self.writes.iter().filter(|(of, _)| of != key);
        let count = others().count();
        if count == 0 {
            return None;
        }
        let nth = random.below(count);
        others().nth(nth).map(|(_, value)| value.clone())
    }

    /// Whether `fault` strikes, and then what its details are drawn from.
    fn strikes(&mut self, turn: &mut Turn, fault: Fault) -> Option<SplitMix> {
        // One number is drawn, whatever the rate and the details, so that the rate of one fault doesn't move the others.
        let drawn = turn.random.next();
        if drawn >> 32 >= self.rates[fault as usize] {
            return None;
        }
        self.counts[fault as usize] += 1;
        if self.log.len() == LOGGED {
            self.log.pop_front();
        }
        self.log.push_back(Injected {
            nth: turn.nth,
            operation: turn.operation,
            fault,
        });
        Some(SplitMix(drawn))
    }
}

impl Turn {
    /// What concerns one of several keys.
    fn part(&mut self) -> Self {
        Self {
            random: SplitMix(self.random.next()),
            ..*self
        }
    }
}

struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
}
