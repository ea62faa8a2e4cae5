//! Whether the server that is asked is still the one that its address leads to, and the one that tells of changes.
//!
//! Behind one address may stand now this server, now that: it is one of several that a name or a balancer leads to, or another
//! took its place. A connection stays with whom it was made to. So each is asked at its beginning which server it is (`run_id`, by `INFO`),
//! and from time to time another one is made, only to try out where the address leads: by whoever asks something just then, or by the
//! connection that tells of changes.
//!
//! All connections belong to an epoch, in which they lead to one server: it ends once one of them is found to lead to another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::locks::lock;
use redis::Value;

/// How often the address is tried out by those who ask. The connection that tells of changes does so more often.
const TRIED_OUT: Duration = Duration::from_secs(9);

/// When nobody has tried it out for so long, as nobody asked, connections are made anew in place of it.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// The same where servers don't say which one they are: that can't be found out by trying.
pub(super) const RENEWED: Duration = Duration::from_secs(57);

/// The shortest epoch. Where connections lead to two servers in turn, each of them would else end all the others.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a server has called itself since its start.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RunId(Box<str>);

/// What is known of it in one process.
#[derive(Default)]
pub(super) struct Origin {
    epoch: AtomicU64,
    is_doubted: AtomicBool,
    seen: Mutex<Option<Seen>>,
}

/// What is known in an epoch in which something was connected.
struct Seen {
    /// To whom the first connection leads, or that which tells of changes. None where the server doesn't say.
    run_id: Option<RunId>,
    /// Whether another connection leads to another one.
    is_mixed: bool,
    since: Instant,
    tried_out: Instant,
}

impl RunId {
    /// That in the answer to `INFO server`; none where that was refused.
    pub(super) fn of(info: &Value) -> Option<Self> {
        let text = match info {
            Value::BulkString(text) => str::from_utf8(text).ok()?,
            Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
            _ => return None,
        };
        let mut lines = text.lines();
        lines.find_map(|line| Some(Self(line.strip_prefix("run_id:")?.trim().into())))
    }
}

impl Origin {
    /// In which epoch a connection must have been opened to be used now. One that is to be opened belongs to it.
    pub(super) fn epoch(&self, now: Instant) -> u64 {
        let mut seen = self.lock();
        if seen.as_ref().is_some_and(|seen| seen.is_over(now)) {
            *seen = None;
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        self.epoch.load(Ordering::SeqCst)
    }

    /// Whether whoever asks just now is to try out where the address leads. Others go on meanwhile.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let mut seen = self.lock();
        let due = seen.as_mut().filter(|seen| {
            let is_long_ago = now.saturating_duration_since(seen.tried_out) >= TRIED_OUT;
            seen.run_id.is_some() && is_long_ago && !seen.is_over(now)
        });
        due.map(|seen| seen.tried_out = now).is_some()
    }

    /// Notes to whom a connection leads that was opened in an epoch.
    pub(super) fn opened(&self, run_id: Option<RunId>, epoch: u64, now: Instant) {
        let mut seen = self.lock();
        if epoch != self.epoch.load(Ordering::SeqCst) {
            return;
        }
        match &mut *seen {
            None => *seen = Some(Seen::new(run_id, now)),
            Some(seen) if seen.run_id != run_id => seen.is_mixed = true,
            Some(seen) if run_id.is_some() => seen.tried_out = now,
            Some(_) => {}
        }
    }

    /// Notes who tells of changes from now on, by a connection in place of one that stood in epoch `last`; gives its epoch.
    pub(super) fn vouch(&self, run_id: Option<RunId>, last: Option<u64>, now: Instant) -> u64 {
        let mut seen = self.lock();
        let epoch = self.epoch.load(Ordering::SeqCst);
        let leads_elsewhere = |seen: &Seen| seen.is_mixed || seen.run_id != run_id;
        let is_other = seen.as_ref().is_some_and(leads_elsewhere);
        // Where the server doesn't say, it may be another one each time. Of two that are told of changes, one begins the epoch.
        let may_be_other = run_id.is_none() && last == Some(epoch);
        if is_other || may_be_other {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        *seen = Some(Seen::new(run_id, now));
        self.epoch.load(Ordering::SeqCst)
    }

    /// Whether all that was connected in this epoch leads to one server, as far as is known.
    pub(super) fn stands(&self, epoch: u64) -> bool {
        let seen = self.lock();
        let is_mixed = seen.as_ref().is_some_and(|seen| seen.is_mixed);
        epoch == self.epoch.load(Ordering::SeqCst) && !is_mixed
    }

    /// Notes that a server was lost, or is not what it was.
    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::SeqCst);
    }

    /// Whether that was noted since the last time.
    pub(super) fn was_doubted(&self) -> bool {
        self.is_doubted.swap(false, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Seen>> {
        lock(&self.seen)
    }
}

impl Seen {
    fn new(run_id: Option<RunId>, now: Instant) -> Self {
        Self {
            run_id,
            is_mixed: false,
            since: now,
            tried_out: now,
        }
    }

    /// Whether what was connected so far is not to be used any more.
    fn is_over(&self, now: Instant) -> bool {
        let longest = self.run_id.as_ref().map_or(RENEWED, |_| FORGOTTEN);
        let is_old = now.saturating_duration_since(self.tried_out) >= longest;
        let is_short = now.saturating_duration_since(self.since) < SHORTEST;
        is_old || self.is_mixed && !is_short
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use redis::Value;

    use super::{FORGOTTEN, Origin, RENEWED, RunId, SHORTEST, TRIED_OUT};

    const MOMENT: Duration = Duration::from_millis(1);

    fn just_before(end: Duration) -> Duration {
        end.saturating_sub(MOMENT)
    }

    fn server(name: &str) -> Option<RunId> {
        let info = format!("# Server\r\nredis_version:7.0.15\r\nrun_id:{name}\r\nport:1\r\n");
        RunId::of(&Value::BulkString(info.into_bytes()))
    }

    #[test]
    fn connections_to_the_server_that_vouches_stay() {
        let (origin, now) = (Origin::default(), Instant::now());
        let opened = origin.epoch(now);
        origin.opened(server("a"), opened, now);
        let vouched = origin.vouch(server("a"), None, now);
        assert_eq!(vouched, opened);
        assert_eq!(origin.vouch(server("a"), Some(vouched), now), opened);
        origin.opened(server("a"), opened, now);
        assert!(origin.stands(vouched));
    }

    #[test]
    fn another_server_that_vouches_ends_the_epoch() {
        let (origin, now) = (Origin::default(), Instant::now());
        let before = origin.vouch(server("a"), None, now);
        assert_ne!(origin.vouch(server("b"), Some(before), now), before);
        assert!(!origin.stands(before));
    }

    #[test]
    fn a_connection_that_leads_elsewhere_ends_it_too() {
        let (origin, now) = (Origin::default(), Instant::now());
        for other in [server("b"), None] {
            let before = origin.vouch(server("a"), None, now);
            origin.opened(other, before, now);
            assert!(!origin.stands(before));
            // Whichever the address leads to the next time.
            let after = origin.vouch(server("a"), Some(before), now);
            assert_ne!(after, before);
            assert!(origin.stands(after));
        }
    }

    #[test]
    fn without_one_that_vouches_it_ends_but_not_at_once() {
        let (origin, start) = (Origin::default(), Instant::now());
        let before = origin.epoch(start);
        origin.opened(server("a"), before, start);
        origin.opened(server("b"), before, start);
        assert_eq!(origin.epoch(start + just_before(SHORTEST)), before);
        let after = origin.epoch(start + SHORTEST);
        assert_ne!(after, before);
        // One that was on its way says nothing of the next epoch.
        origin.opened(server("a"), before, start + SHORTEST);
        origin.opened(server("b"), after, start + SHORTEST);
        assert_eq!(origin.epoch(start + 2 * SHORTEST), after);
    }

    #[test]
    fn an_address_is_tried_out_by_one_at_a_time() {
        let (origin, start) = (Origin::default(), Instant::now());
        assert!(!origin.is_due(start), "nothing is connected");
        let epoch = origin.epoch(start);
        origin.opened(server("a"), epoch, start);
        let mut now = start;
        for is_answered in [true, false, true] {
            assert!(!origin.is_due(now + just_before(TRIED_OUT)));
            now += TRIED_OUT;
            assert!(origin.is_due(now));
            assert!(!origin.is_due(now), "one does");
            if is_answered {
                origin.opened(server("a"), epoch, now);
            }
            assert_eq!(
                origin.epoch(now),
                epoch,
                "where nobody answers the others do"
            );
        }
    }

    #[test]
    fn what_nobody_used_for_long_is_connected_anew() {
        for (run_id, longest) in [(server("a"), FORGOTTEN), (None, RENEWED)] {
            let (origin, start) = (Origin::default(), Instant::now());
            let before = origin.epoch(start);
            origin.opened(run_id.clone(), before, start);
            assert_eq!(origin.epoch(start + just_before(longest)), before);
            assert!(!origin.is_due(start + longest));
            let after = origin.epoch(start + longest);
            assert_ne!(after, before);
            origin.opened(run_id, after, start + longest);
            assert_eq!(origin.epoch(start + longest + MOMENT), after);
        }
    }

    #[test]
    fn who_never_says_which_server_it_is_is_connected_anew_though_used() {
        let (origin, start) = (Origin::default(), Instant::now());
        let before = origin.epoch(start);
        for seconds in 0..RENEWED.as_secs() {
            let now = start + Duration::from_secs(seconds);
            assert!(!origin.is_due(now));
            assert_eq!(origin.epoch(now), before);
            origin.opened(None, before, now);
        }
        assert_ne!(origin.epoch(start + RENEWED), before);
    }

    #[test]
    fn of_two_that_know_nothing_one_begins_the_epoch() {
        let (origin, now) = (Origin::default(), Instant::now());
        let first = origin.vouch(None, None, now);
        assert_eq!(origin.vouch(None, None, now), first);
        let second = origin.vouch(None, Some(first), now);
        assert_ne!(second, first);
        assert_eq!(origin.vouch(None, Some(first), now), second);
        assert!(origin.stands(second));
    }

    #[test]
    fn what_is_no_answer_names_no_server() {
        for answer in [
            Value::Nil,
            Value::Okay,
            Value::BulkString(b"port:1".to_vec()),
        ] {
            assert!(RunId::of(&answer).is_none());
        }
    }
}
