//! Interleavings of those who ask a shared backend, change it, are told of changes and keep copies, step by step in any order.
//!
//! In full, which takes some seconds: `LOCAL_SCHEDULES=1000000 cargo test --release -p memoize-runtime --lib -- --nocapture local::schedules`.

use std::any::Any;
use std::env;
use std::sync::Arc;
use std::time::Duration;

use test_servers::Random;

use super::{Beside, Facts, Local, Names, Shelved, Ticket, Trust};
use crate::backend::Bytes;
use crate::clock::{Clock, SystemClock};
use crate::entry::StoredType;
use crate::key::CacheKey;

const NAME: &str = "n:key";

/// A version of what is under the name.
struct Version(Facts);

impl Version {
    fn kept(number: u64) -> Arc<dyn Shelved> {
        Arc::new(Self(Facts {
            name: CacheKey::from_text(NAME, usize::MAX),
            full_key: None,
            stored: StoredType::unstored(),
            created_ms: number,
            expires_ms: u64::MAX,
            cost: Duration::ZERO,
            compress: false,
            asked_ms: 0,
            trust: Trust::Tracked,
            bytes: 0,
            behind_arguments: 0,
        }))
    }
}

impl Shelved for Version {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn weight(&self) -> u64 {
        1
    }

    fn begin(&self, _: u32) {}

    fn end(&self) {}

    fn leave(&self) {}

    fn to_bytes(&self) -> Option<Bytes> {
        None
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Who looks for the name.
enum Caller<'a> {
    Away,
    /// Nothing that is older than this may be found by who came now.
    Asks(Option<Ticket<'a>>, u64),
    IsAnswered(Option<Ticket<'a>>, u64, u64),
}

struct World<'a> {
    beside: &'a Beside,
    /// What the backend has, and what is not told yet of its changes.
    version: u64,
    news: usize,
    is_told: bool,
    callers: Vec<Caller<'a>>,
    /// The newest that any caller has returned.
    seen: u64,
    copied: u64,
}

impl<'a> World<'a> {
    fn new(beside: &'a Beside, callers: usize) -> Self {
        beside.stand(Names::Plain);
        Self {
            beside,
            version: 1,
            news: 0,
            is_told: true,
            callers: (0..callers).map(|_| Caller::Away).collect(),
            seen: 0,
            copied: 0,
        }
    }

    fn step(&mut self, random: &mut Random) {
        let callers = self.callers.len();
        match random.below(callers as u64 + 3) {
            0 => self.change(),
            1 => self.tell(),
            2 => self.lose_or_stand(random),
            caller => {
                let caller = usize::try_from(caller).expect("they are few") - 3;
                self.go_on(caller);
            }
        }
    }

    fn change(&mut self) {
        self.version += 1;
        self.news += usize::from(self.is_told);
    }

    fn tell(&mut self) {
        if self.news > 0 {
            self.news -= 1;
            self.beside.forget(NAME);
        }
    }

    /// Seldom. What was not told by then never is.
    fn lose_or_stand(&mut self, random: &mut Random) {
        if !self.is_told {
            self.beside.stand(Names::Plain);
            self.is_told = true;
        } else if random.below(4) == 0 {
            self.beside.lose(Names::Plain);
            self.is_told = false;
            self.news = 0;
        }
    }

    fn go_on(&mut self, caller: usize) {
        let before = std::mem::replace(&mut self.callers[caller], Caller::Away);
        self.callers[caller] = match before {
            Caller::Away => {
                let oldest = self.seen;
                if let Some(kept) = self.beside.copy(NAME, Local::Unsaid) {
                    self.copied += 1;
                    self.sees(kept.facts().created_ms, oldest);
                    Caller::Away
                } else {
                    Caller::Asks(self.beside.ask(NAME, Local::Unsaid), oldest)
                }
            }
            Caller::Asks(ticket, oldest) => Caller::IsAnswered(ticket, oldest, self.version),
            Caller::IsAnswered(ticket, oldest, version) => {
                match ticket {
                    Some(ticket) => _ = ticket.keep(Version::kept(version), version),
                    None => self.beside.pass(NAME),
                }
                self.sees(version, oldest);
                Caller::Away
            }
        };
    }

    fn sees(&mut self, version: u64, oldest: u64) {
        assert!(version >= oldest, "{version} after {oldest}");
        self.seen = self.seen.max(version);
    }

    /// Nobody asks any more, and all is told.
    fn end(mut self) -> u64 {
        for caller in 0..self.callers.len() {
            while !matches!(self.callers[caller], Caller::Away) {
                self.go_on(caller);
            }
        }
        while self.news > 0 {
            self.tell();
        }
        if let Some(kept) = self.beside.copy(NAME, Local::Unsaid) {
            assert_eq!(kept.facts().created_ms, self.version, "all is told");
        }
        self.copied
    }
}

/// What one has seen is the oldest that those who come later see, whatever overtakes what; and once all is told nothing old is left.
#[test]
fn copies_never_go_back() {
    let count = |name: &str, few: u64| {
        let asked = env::var(name);
        asked.map_or(few, |asked| asked.parse().expect("a number"))
    };
    let (schedules, seed) = (count("LOCAL_SCHEDULES", 20_000), count("LOCAL_SEED", 1));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let beside = Beside::new("n", 1 << 20, &clock);
    let mut copied = 0;
    for schedule in 0..schedules {
        let mut random = Random::new(seed.wrapping_mul(1 << 40).wrapping_add(schedule));
        let mut world = World::new(&beside, 2 + usize::try_from(schedule % 4).expect("small"));
        for _ in 0..40 {
            world.step(&mut random);
        }
        copied += world.end();
    }
    test_servers::shown!(
        "local: {schedules} schedules of 40 steps, seed {seed}; {copied} copies were used"
    );
    assert!(copied > schedules, "they are of use");
    assert!(beside.is_quiet(), "nobody is left behind");
}
