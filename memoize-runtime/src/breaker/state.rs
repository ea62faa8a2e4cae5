//! What a breaker can be in, and what changes it. Pure: the time, in milliseconds since the breaker was made, and the chance are
//! passed in.

/// So many failures in a row open it.
const IN_A_ROW: u8 = 5;

/// And so does a half of all answers, from so many on, within so long after a first failure.
const LEAST_ANSWERS: u16 = 20;
const WINDOW_MS: u64 = 10_000;

/// Where so many were counted they are halved, which keeps their ratio.
const MOST_ANSWERS: u16 = 1000;

/// How long it stays open at first; twice as long after each probe that failed.
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 30_000;

/// Pauses are up to a fifth shorter or longer, so that the processes of a fleet don't come back in one moment.
const JITTER: u64 = 5;

/// A probe that says nothing for so long was forgotten: its future was leaked, or its thread is stuck.
const LONGEST_PROBE_MS: u64 = 30_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No failure is remembered.
    Closed,
    /// Some of the answers failed lately.
    Suspicious(Tally),
    /// Nothing is asked. `failed` is how many probes did so far.
    Open { until_ms: u64, failed: u8 },
    /// One question is on its way, and nothing else is asked.
    Probing { since_ms: u64, failed: u8 },
}

/// The answers since a first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    since_ms: u64,
    in_a_row: u8,
    failed: u16,
    answers: u16,
}

/// Whether a question may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Usual,
    /// It may, and what comes of it decides for all.
    Probe,
    Refused,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered,
    /// An error, a panic, or no answer in time.
    Failed,
    /// Nobody waited for the answer.
    Unknown,
    /// We had no way to ask it in time, as too much else was asked.
    Unasked,
}

impl State {
    pub(super) fn admit(self, now_ms: u64) -> (Self, Admission) {
        let (due_ms, failed) = match self {
            Self::Closed | Self::Suspicious(_) => return (self, Admission::Usual),
            Self::Open { until_ms, failed } => (until_ms, failed),
            Self::Probing { since_ms, failed } => (since_ms + LONGEST_PROBE_MS, failed),
        };
        if due_ms > now_ms {
            return (self, Admission::Refused);
        }
        let since_ms = now_ms;
        (Self::Probing { since_ms, failed }, Admission::Probe)
    }

    /// After a question that was no probe. One that was asked before it opened has no say any more.
    pub(super) fn after(self, ending: Ending, now_ms: u64, chance: u64) -> Self {
        match (self, ending) {
            (Self::Suspicious(tally), Ending::Answered) if tally.is_over(now_ms) => Self::Closed,
            (Self::Suspicious(tally), Ending::Answered) => Self::Suspicious(tally.answered()),
            (Self::Closed, Ending::Failed) => Self::Suspicious(Tally::new(now_ms).failed()),
            (Self::Suspicious(tally), Ending::Failed) => {
                let tally = tally.in_its_window(now_ms).failed();
                if tally.is_too_much() {
                    Self::open(0, now_ms, chance)
                } else {
                    Self::Suspicious(tally)
                }
            }
            _ => self,
        }
    }

    /// After the probe that began at `began_ms`. One whose place another has taken has no say any more.
    pub(super) fn after_probe(
        self,
        began_ms: u64,
        ending: Ending,
        now_ms: u64,
        chance: u64,
    ) -> Self {
        match self {
            Self::Probing { since_ms, failed } if since_ms == began_ms => match ending {
                Ending::Answered => Self::Closed,
                // Next to a probe nothing else is asked: what is in its way doesn't come to an end.
                Ending::Failed | Ending::Unasked => {
                    Self::open(failed.saturating_add(1), now_ms, chance)
                }
                // The next one probes, at once.
                Ending::Unknown => Self::Open {
                    until_ms: now_ms,
                    failed,
                },
            },
            _ => self,
        }
    }

    fn open(failed: u8, now_ms: u64, chance: u64) -> Self {
        let pause = (FIRST_PAUSE_MS << failed.min(5)).min(LONGEST_PAUSE_MS);
        let spread = pause / JITTER;
        let pause = pause - spread + chance % (2 * spread + 1);
        Self::Open {
            until_ms: now_ms + pause,
            failed,
        }
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Open { .. } | Self::Probing { .. })
    }
}

impl Tally {
    fn new(now_ms: u64) -> Self {
        Self {
            since_ms: now_ms,
            in_a_row: 0,
            failed: 0,
            answers: 0,
        }
    }

    fn is_over(self, now_ms: u64) -> bool {
        self.since_ms + WINDOW_MS <= now_ms
    }

    /// Begun anew where it is over; failures in a row count however long they take.
    fn in_its_window(self, now_ms: u64) -> Self {
        if self.is_over(now_ms) {
            Self {
                in_a_row: self.in_a_row,
                ..Self::new(now_ms)
            }
        } else {
            self
        }
    }

    fn answered(self) -> Self {
        Self {
            in_a_row: 0,
            ..self.counted()
        }
    }

    fn failed(self) -> Self {
        let counted = self.counted();
        Self {
            in_a_row: counted.in_a_row + 1,
            failed: counted.failed + 1,
            ..counted
        }
    }

    fn counted(self) -> Self {
        if self.answers < MOST_ANSWERS {
            Self {
                answers: self.answers + 1,
                ..self
            }
        } else {
            Self {
                answers: self.answers / 2 + 1,
                failed: self.failed.div_ceil(2),
                ..self
            }
        }
    }

    fn is_too_much(self) -> bool {
        let half = self.answers >= LEAST_ANSWERS && self.failed * 2 >= self.answers;
        self.in_a_row >= IN_A_ROW || half
    }
}

/// A state in one word, so that it changes in one step and without a lock: 2 bits for the kind, 22 for what is counted, 40 for
/// a time, which are 34 years.
impl State {
    pub(super) const CLOSED: u64 = 0;

    pub(super) fn pack(self) -> u64 {
        let (kind, counts, ms) = match self {
            Self::Closed => return Self::CLOSED,
            Self::Suspicious(tally) => {
                let (failed, answers) = (u64::from(tally.failed), u64::from(tally.answers));
                let counts = u64::from(tally.in_a_row) | failed << 3 | answers << 12;
                (1, counts, tally.since_ms)
            }
            Self::Open { until_ms, failed } => (2, u64::from(failed), until_ms),
            Self::Probing { since_ms, failed } => (3, u64::from(failed), since_ms),
        };
        kind | counts << 2 | ms << 24
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "each part is as wide as what it was packed from"
    )]
    pub(super) fn unpack(word: u64) -> Self {
        let (counts, ms) = (word >> 2 & 0x3F_FFFF, word >> 24);
        match word & 3 {
            0 => Self::Closed,
            1 => Self::Suspicious(Tally {
                since_ms: ms,
                in_a_row: (counts & 0x7) as u8,
                failed: (counts >> 3 & 0x1FF) as u16,
                answers: (counts >> 12) as u16,
            }),
            2 => Self::Open {
                until_ms: ms,
                failed: counts as u8,
            },
            _ => Self::Probing {
                since_ms: ms,
                failed: counts as u8,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ending::{Answered, Failed, Unasked, Unknown};
    use super::{Admission, Ending, State};

    /// In the middle of the jitter.
    fn chance(pause_ms: u64) -> u64 {
        pause_ms / super::JITTER
    }

    fn after_all(mut state: State, endings: &[Ending], now_ms: u64) -> State {
        for &ending in endings {
            state = state.after(ending, now_ms, chance(1_000));
        }
        state
    }

    fn pause_of(state: State, now_ms: u64) -> u64 {
        match state {
            State::Open { until_ms, .. } => until_ms - now_ms,
            _ => panic!("not open: {state:?}"),
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it_however_long_they_take() {
        for step_ms in [0, 3_000, 60_000] {
            let mut state = State::Closed;
            for nth in 1..=5_u64 {
                assert!(!state.is_open(), "{nth}");
                state = state.after(Failed, nth * step_ms, 0);
            }
            assert!(state.is_open());
        }
        let state = after_all(
            State::Closed,
            &[Failed, Failed, Failed, Failed, Answered],
            0,
        );
        let state = after_all(state, &[Failed, Failed, Failed, Failed, Unknown], 1);
        assert!(!state.is_open());
        assert!(state.after(Failed, 2, 0).is_open());
    }

    #[test]
    fn a_half_of_twenty_opens_it_within_ten_seconds() {
        let state = after_all(State::Closed, &[Failed, Answered].repeat(9), 0);
        assert!(!state.is_open(), "9 of 18");
        let state = state.after(Answered, 5, 0);
        assert!(state.after(Failed, 9_999, 0).is_open(), "10 of 20");
        assert!(!state.after(Answered, 9_999, 0).is_open(), "9 of 20");
        assert!(!state.after(Failed, 10_000, 0).is_open(), "1 of 1");
        assert_eq!(state.after(Answered, 10_000, 0), State::Closed, "forgotten");
        let mostly = [Failed, Answered, Answered].repeat(100);
        assert!(!after_all(State::Closed, &mostly, 0).is_open());
    }

    #[test]
    fn however_many_answers_their_ratio_counts() {
        let mut state = State::Closed;
        for _ in 0..100_000 {
            state = after_all(state, &[Failed, Answered, Answered], 0);
            assert_eq!(State::unpack(state.pack()), state);
        }
        assert!(!state.is_open());
        for _ in 0..2_000 {
            state = after_all(state, &[Failed, Failed, Failed, Answered], 0);
        }
        assert!(state.is_open());
    }

    #[test]
    fn one_probe_at_a_time_and_pauses_that_double() {
        let mut state = State::open(0, 0, chance(1_000));
        let mut now_ms = 0;
        for pause_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            assert_eq!(pause_of(state, now_ms), pause_ms);
            assert_eq!(state.admit(now_ms + pause_ms - 1).1, Admission::Refused);
            now_ms += pause_ms;
            let (probing, admission) = state.admit(now_ms);
            assert_eq!(admission, Admission::Probe);
            assert_eq!(probing.admit(now_ms + 1), (probing, Admission::Refused));
            let next_ms = (pause_ms * 2).min(30_000);
            state = probing.after_probe(now_ms, Failed, now_ms, chance(next_ms));
        }
        let (probing, _) = state.admit(now_ms + 30_000);
        let closed = probing.after_probe(now_ms + 30_000, Answered, now_ms + 30_001, 0);
        assert_eq!(closed, State::Closed);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        for chance in 0..2_000 {
            let pause = pause_of(State::open(0, 7, chance), 7);
            assert!((800..=1_200).contains(&pause), "{pause}");
        }
        let pauses = [0, 400].map(|chance| pause_of(State::open(0, 0, chance), 0));
        assert_eq!(pauses, [800, 1_200]);
    }

    #[test]
    fn a_probe_without_an_end_is_followed_by_another() {
        let (probing, _) = State::open(0, 0, 0).admit(1_200);
        let open = probing.after_probe(1_200, Unknown, 1_300, 0);
        assert_eq!(open.admit(1_300).1, Admission::Probe, "cancelled: at once");
        assert_eq!(probing.admit(31_199).1, Admission::Refused);
        let (second, admission) = probing.admit(31_200);
        assert_eq!(admission, Admission::Probe, "forgotten: after a while");
        for ending in [Answered, Failed, Unknown] {
            assert_eq!(
                second.after_probe(1_200, ending, 31_201, 0),
                second,
                "too late"
            );
        }
    }

    #[test]
    fn what_was_asked_before_has_no_say() {
        let open = State::open(0, 0, 0);
        let (probing, _) = open.admit(2_000);
        for ending in [Answered, Failed, Unknown] {
            assert_eq!(open.after(ending, 1, 0), open);
            assert_eq!(probing.after(ending, 2_001, 0), probing);
        }
    }

    #[test]
    fn what_could_not_be_asked_counts_as_a_probe_only() {
        let mut state = State::Closed.after(Failed, 0, 0);
        for nth in 1..100 {
            let before = state;
            state = state.after(Unasked, nth, 0);
            assert_eq!(state, before);
        }
        let (probing, _) = State::open(0, 0, 0).admit(2_000);
        let open = probing.after_probe(2_000, Unasked, 2_000, chance(2_000));
        assert_eq!(pause_of(open, 2_000), 2_000);
    }

    #[test]
    fn each_state_fits_into_a_word() {
        let suspicious = after_all(State::Closed, &[Failed, Answered, Failed, Failed], 1 << 39);
        let open = State::open(255, (1 << 40) - 40_000, 5);
        let (probing, _) = State::open(3, 0, 5).admit(100_000);
        for state in [State::Closed, suspicious, open, probing] {
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
}
