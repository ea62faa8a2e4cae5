//! Requests on their way to their answers: which goes to which server, and what is to be asked again. No I/O is in here, so
//! that both clients share it.

use std::sync::LazyLock;

use redis::{Cmd, ServerErrorKind, Value};

use super::command::{Request, nonsense};
use super::error::{self, Failure};
use super::router::{Router, redirection};
use super::url::Address;
use crate::backend::BackendError;

/// How often something is asked again. Once for a script that isn't known and once for a slot that has moved is usual; a removal takes six
/// while its slot is on its way.
pub(super) const MOST_ROUNDS: usize = 7;

static ASKING: LazyLock<Cmd> = LazyLock::new(|| redis::cmd("ASKING"));

pub(super) struct Exchange {
    asked: Vec<Asked>,
    /// So many of them are waited for.
    needed: usize,
    /// Whether none of the others may be worked on before the first.
    first_leads: bool,
}

struct Asked {
    request: Request,
    /// The server that a slot on its way was sent to, for this one time.
    guest_of: Option<Address>,
    /// Whether a server may have it.
    sent: bool,
    /// Whether a connection was lost under it.
    repeated: bool,
    /// What is asked when the request was answered, in its place.
    next: Option<Request>,
    answer: Option<Value>,
}

impl Asked {
    fn new(request: Request) -> Self {
        Self {
            request,
            guest_of: None,
            sent: false,
            repeated: false,
            next: None,
            answer: None,
        }
    }
}

/// Requests that go to one server, in one piece.
pub(super) struct Group {
    pub(super) address: Address,
    members: Vec<usize>,
}

impl Exchange {
    pub(super) fn new(requests: impl IntoIterator<Item = Request>) -> Self {
        let asked: Vec<Asked> = requests.into_iter().map(Asked::new).collect();
        Self {
            needed: asked.len(),
            asked,
            first_leads: false,
        }
    }

    /// The same where the others are worked on after the first.
    pub(super) fn first_leads(mut self) -> Self {
        self.first_leads = true;
        self
    }

    /// The same with requests that are sent once, behind those to the same server, and not waited for: what isn't done then
    /// is not followed.
    pub(super) fn beside(mut self, requests: impl IntoIterator<Item = Request>) -> Self {
        let requests = requests.into_iter();
        // Nobody would ask again with the script itself.
        let in_full = requests.map(|request| request.in_full().unwrap_or(request));
        self.asked.extend(in_full.map(Asked::new));
        self
    }

    /// What is still to be sent, server by server.
    ///
    /// # Errors
    /// There is no server for one of the requests.
    pub(super) fn groups(&self, router: &Router) -> Result<Vec<Group>, BackendError> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, asked) in self.asked.iter().enumerate() {
            let is_beside = index >= self.needed;
            if asked.answer.is_some() || is_beside && asked.sent {
                continue;
            }
            let address = match &asked.guest_of {
                Some(address) => address.clone(),
                None => router.route(asked.request.slot)?,
            };
            if let Some(group) = groups.iter_mut().find(|group| group.address == address) {
                group.members.push(index);
                continue;
            }
            // Only its own server works on the first one before those that are sent behind it.
            if is_beside || self.first_is_open() && !groups.is_empty() {
                continue;
            }
            groups.push(Group {
                address,
                members: vec![index],
            });
        }
        Ok(groups)
    }

    /// The commands of a group, which are about to be sent. A guest's has `ASKING` in front of it.
    pub(super) fn commands(&mut self, group: &Group) -> Vec<&Cmd> {
        for &index in &group.members {
            self.asked[index].sent = true;
        }
        let mut commands = Vec::with_capacity(group.members.len());
        for &index in &group.members {
            let asked = &self.asked[index];
            if asked.guest_of.is_some() {
                commands.push(&*ASKING);
            }
            commands.push(&asked.request.command);
        }
        commands
    }

    /// Takes the answers to the commands of a group; says whether the connection they came by may be used again.
    ///
    /// # Errors
    /// They are not the answers to these commands. Nor will be what comes by that connection after them.
    pub(super) fn take(
        &mut self,
        group: &Group,
        answers: Vec<Value>,
        router: &Router,
    ) -> Result<bool, BackendError> {
        let mut sound = true;
        let mut answers = answers.into_iter();
        for &index in &group.members {
            if self.asked[index].guest_of.take().is_some() {
                answers.next();
            }
            let answer = answers.next().ok_or_else(nonsense)?;
            let is_beside = index >= self.needed;
            // The first one will be worked on once more, and this has been.
            let is_early = index != 0 && !is_beside && self.first_is_open();
            let asked = &mut self.asked[index];
            let Value::ServerError(error) = &answer else {
                if !asked.request.is_answered_by(&answer) {
                    return Err(nonsense());
                }
                match asked.next.take() {
                    Some(next) => asked.request = next,
                    None => asked.answer = Some(answer).filter(|_| !is_early),
                }
                continue;
            };
            let to = error
                .details()
                .and_then(|to| redirection(&group.address, to));
            match (error.kind(), to) {
                (Some(ServerErrorKind::Ask), _) if is_beside => continue,
                (Some(ServerErrorKind::Moved), to) if is_beside => {
                    if let Some((slot, to)) = to {
                        router.moved(slot, &to);
                    }
                    continue;
                }
                // They stay together, for else each would take rounds of its own.
                (Some(ServerErrorKind::Ask), Some((_, to))) => {
                    asked.guest_of = Some(to);
                    continue;
                }
                _ if is_early => continue,
                (Some(ServerErrorKind::NoScript), _) => {
                    if let Some(in_full) = asked.request.in_full() {
                        asked.request = in_full;
                        continue;
                    }
                }
                (Some(ServerErrorKind::Moved), Some((slot, to))) if router.moved(slot, &to) => {
                    continue;
                }
                (Some(ServerErrorKind::TryAgain), _) => {
                    if let Some([first, next]) = asked.request.apart() {
                        asked.request = first;
                        asked.next = Some(next);
                        continue;
                    }
                }
                _ if error::is_of_the_wrong_server(error) => {
                    sound = false;
                    router.doubt();
                }
                _ => sound &= error::is_of_the_command(error),
            }
            asked.answer = Some(answer);
        }
        Ok(sound)
    }

    /// Takes that there are no answers to the commands of a group. By a connection that was lost meanwhile they are sent once more, if the
    /// server may have worked on them already.
    ///
    /// # Errors
    /// They are not sent again.
    pub(super) fn fail(
        &mut self,
        group: &Group,
        failure: Failure,
        router: &Router,
    ) -> Result<(), BackendError> {
        match failure {
            Failure::Stale(_) if self.again(group).is_some() => Ok(()),
            Failure::Late => {
                router.late();
                Err(error::late())
            }
            Failure::TooLong => Err(error::too_long()),
            Failure::Stale(error) | Failure::Other(error) => {
                // Nor is it believed that it is the right server.
                router.doubt();
                Err(error)
            }
        }
    }

    /// Puts requests in the place of those of a group, if each has one.
    fn again(&mut self, group: &Group) -> Option<()> {
        for &index in &group.members {
            if index >= self.needed {
                continue;
            }
            let asked = &mut self.asked[index];
            if std::mem::replace(&mut asked.repeated, true) {
                return None;
            }
            asked.request = asked.request.again()?;
        }
        Some(())
    }

    fn first_is_open(&self) -> bool {
        self.first_leads
            && self
                .asked
                .first()
                .is_some_and(|first| first.answer.is_none())
    }

    /// All answers that are waited for, in the order of the requests; nothing if there is more to ask.
    pub(super) fn finish(&mut self) -> Option<Vec<Value>> {
        let needed = &mut self.asked[..self.needed];
        if needed.iter().any(|asked| asked.answer.is_none()) {
            return None;
        }
        let answers = needed.iter_mut();
        Some(answers.filter_map(|asked| asked.answer.take()).collect())
    }

    /// The first request as it was sent last, if there is one.
    pub(super) fn first(&self) -> Option<&Request> {
        self.asked.first().map(|asked| &asked.request)
    }

    /// Whether a server may have worked on the first request.
    pub(super) fn first_was_sent(&self) -> bool {
        self.asked.first().is_some_and(|asked| asked.sent)
    }

    /// Whether a server has answered one of those that are not waited for.
    pub(super) fn beside_is_answered(&self, index: usize) -> bool {
        let asked = self.asked.get(self.needed + index);
        asked.is_some_and(|asked| asked.answer.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    use redis::{Value, parse_redis_value};

    use super::{Exchange, Failure, MOST_ROUNDS};
    use crate::backend::redis::command::Request;
    use crate::backend::redis::router::{Router, Step};
    use crate::backend::redis::slot::slot;
    use crate::backend::redis::url::{Address, Target};
    use crate::backend::{BackendError, Lease};

    const ONE: &str = "$1\r\n1\r\n";
    const TWO: &str = "$1\r\n2\r\n";
    const THREE: &str = "$1\r\n3\r\n";

    fn router(url: &str) -> Router {
        Router::new(Target::parse(url).expect(url).servers)
    }

    fn value(text: &str) -> Value {
        parse_redis_value(text.as_bytes()).expect("it is RESP")
    }

    fn node(port: u16) -> Address {
        let host = "node".to_owned();
        Address::Tcp { host, port }
    }

    /// A cluster of two nodes, the first of which has the slots below `border`.
    fn cluster(border: u16) -> Router {
        let router = router("redis+cluster://node:1");
        let last = border - 1;
        let slots = format!(
            "*2\r\n*3\r\n:0\r\n:{last}\r\n*2\r\n+\r\n:1\r\n*3\r\n:{border}\r\n:16383\r\n*2\r\n+node\r\n:2\r\n"
        );
        router
            .learn(&node(1), value(&slots))
            .expect("it says where");
        router
    }

    /// Whether somebody is to ask where the servers are.
    fn searches(router: &Router) -> bool {
        let until = Instant::now() + Duration::from_secs(60);
        matches!(router.step(until), Step::Search(_))
    }

    /// What was sent to which node, given what these answer one after the other.
    fn run(
        mut exchange: Exchange,
        router: &Router,
        answers: &[&str],
    ) -> (Vec<String>, Option<Vec<Value>>) {
        let mut answers: VecDeque<&str> = answers.iter().copied().collect();
        let mut log = Vec::new();
        for _ in 0..MOST_ROUNDS {
            for group in exchange.groups(router).expect("each slot has a node") {
                let mut received = Vec::new();
                for command in exchange.commands(&group) {
                    let packed = String::from_utf8(command.get_packed_command()).expect("text");
                    let name = packed.split("\r\n").nth(2).expect("a command has a name");
                    log.push(format!("{name} {}", group.address));
                    received.push(value(answers.pop_front().expect("an answer for each")));
                }
                exchange
                    .take(&group, received, router)
                    .expect("one for each");
            }
            if let Some(answers) = exchange.finish() {
                return (log, Some(answers));
            }
        }
        (log, None)
    }

    #[test]
    fn each_slot_is_asked_for_where_it_is_and_answers_keep_their_order() {
        let router = cluster(slot("b").max(slot("a")));
        let (low, high) = if slot("a") < slot("b") {
            ("a", "b")
        } else {
            ("b", "a")
        };
        let exchange = Exchange::new([high, low, high].map(Request::get));
        let (log, answers) = run(exchange, &router, &[ONE, THREE, TWO]);
        assert_eq!(log, ["GET node:2", "GET node:2", "GET node:1"]);
        assert_eq!(answers, Some([ONE, TWO, THREE].map(value).to_vec()));
    }

    #[test]
    fn a_slot_that_moved_is_followed_and_noted() {
        let router = cluster(16383);
        let moved = format!("-MOVED {} node:2\r\n", slot("a"));
        let (log, answers) = run(Exchange::new([Request::get("a")]), &router, &[&moved, ONE]);
        assert_eq!(log, ["GET node:1", "GET node:2"]);
        assert_eq!(answers, Some(vec![value(ONE)]));
        assert!(
            searches(&router),
            "where the others are is asked anew, by one"
        );
        assert!(!searches(&router));
        assert_eq!(router.route(slot("a")).expect("it is known"), node(2));
    }

    #[test]
    fn a_slot_on_its_way_is_a_guest_once() {
        let router = cluster(16383);
        let ask = format!("-ASK {} node:2\r\n", slot("a"));
        let answers = [&*ask, "+OK\r\n", ONE];
        let (log, answers) = run(Exchange::new([Request::get("a")]), &router, &answers);
        assert_eq!(log, ["GET node:1", "ASKING node:2", "GET node:2"]);
        assert_eq!(answers, Some(vec![value(ONE)]));
        assert_eq!(router.route(slot("a")).expect("it is known"), node(1));
    }

    #[test]
    fn what_is_led_is_a_guest_with_the_first() {
        let router = cluster(16383);
        let lookup = Request::lease_if_absent("a", Lease::new(7), &[], Duration::from_secs(1));
        let exchange = Exchange::new([lookup, Request::get("a")]).first_leads();
        let ask = format!("-ASK {} node:2\r\n", slot("a"));
        let (ask, ok) = (&*ask, "+OK\r\n");
        let answers = [ask, ask, ok, ":1\r\n", ok, TWO];
        let (log, answers) = run(exchange, &router, &answers);
        assert_eq!(log[..2], ["EVALSHA node:1", "GET node:1"]);
        assert_eq!(log[2..4], ["ASKING node:2", "EVALSHA node:2"]);
        assert_eq!(log[4..], ["ASKING node:2", "GET node:2"]);
        assert_eq!(answers, Some([":1\r\n", TWO].map(value).to_vec()));
    }

    #[test]
    fn nodes_that_send_us_around_are_left_alone() {
        let router = cluster(16383);
        let moved = [2, 1].map(|port| format!("-MOVED {} node:{port}\r\n", slot("a")));
        let moved = moved.iter().map(String::as_str).cycle();
        let answers: Vec<&str> = moved.take(MOST_ROUNDS).collect();
        let (log, answers) = run(Exchange::new([Request::get("a")]), &router, &answers);
        assert_eq!((log.len(), answers), (MOST_ROUNDS, None));
    }

    #[test]
    fn what_was_worked_on_too_early_is_asked_again() {
        let router = router("redis://node");
        let lease = Lease::new(7);
        let lookup = || Request::lease_if_absent("a", lease, &[], Duration::from_secs(1));
        let answers = ["-NOSCRIPT none\r\n", ONE, ":1\r\n", TWO];
        let exchange = Exchange::new([lookup(), Request::get("b")]).first_leads();
        let (log, found) = run(exchange, &router, &answers);
        assert_eq!(log[..2], ["EVALSHA node:6379", "GET node:6379"]);
        assert_eq!(log[2..], ["EVAL node:6379", "GET node:6379"]);
        assert_eq!(found, Some([":1\r\n", TWO].map(value).to_vec()));
        let exchange = Exchange::new([lookup(), Request::get("b")]);
        let (log, found) = run(exchange, &router, &answers[..3]);
        assert_eq!(log.len(), 3, "where nothing leads the other answer stands");
        assert_eq!(found, Some([":1\r\n", ONE].map(value).to_vec()));
    }

    #[test]
    fn the_first_is_answered_before_other_nodes_are_asked() {
        let (low, high) = if slot("a") < slot("b") {
            ("a", "b")
        } else {
            ("b", "a")
        };
        let router = cluster(slot(high));
        let exchange = Exchange::new([high, low, low].map(Request::get)).first_leads();
        assert_eq!(exchange.groups(&router).expect("both are known").len(), 1);
        let (log, _) = run(exchange, &router, &[ONE, TWO, THREE]);
        assert_eq!(log, ["GET node:2", "GET node:1", "GET node:1"]);
    }

    #[test]
    fn a_lost_connection_is_followed_once_where_that_does_no_harm() {
        let router = router("redis://node");
        let lost = || Failure::Stale(BackendError::new("lost"));
        let ask = |request| {
            let mut exchange = Exchange::new([Request::get("a"), request]);
            let group = exchange.groups(&router).expect("it is known").remove(0);
            let repeats = exchange.fail(&group, lost(), &router).is_ok();
            let again = exchange.groups(&router).expect("it is known").remove(0);
            assert_eq!(exchange.commands(&again).len(), 2, "nothing was answered");
            let late = exchange.fail(&again, lost(), &router);
            assert!(late.is_err(), "it is no help");
            repeats
        };
        let (value, hour) = ("value".into(), Duration::from_secs(3600));
        let lease = Lease::new(7);
        assert!(ask(Request::lease_if_absent("b", lease, &[], hour)));
        assert!(ask(Request::fill("b", lease, &value, hour)));
        assert!(ask(Request::delete("b")));
        assert!(!ask(Request::set("b", &value, hour)));
        let mut exchange = Exchange::new([Request::get("a")]);
        let group = exchange.groups(&router).expect("it is known").remove(0);
        let late = Failure::Other(BackendError::new("late"));
        assert!(exchange.fail(&group, late, &router).is_err());
    }

    #[test]
    fn what_is_beside_is_sent_once_and_not_waited_for() {
        let router = cluster(16383);
        let release = || Request::release("a", &[Lease::new(7)]);
        let exchange = || Exchange::new([Request::get("a")]).beside([release()]);
        let moved = format!("-MOVED {} node:2\r\n", slot("a"));
        for beside in [":1\r\n", "-TRYAGAIN later\r\n", &moved] {
            let (log, answers) = run(exchange(), &router, &[ONE, beside]);
            assert_eq!(log.len(), 2, "{log:?}");
            assert!(log[1].starts_with("EVAL "), "{log:?}");
            assert_eq!(answers, Some(vec![value(ONE)]));
        }
        let moved = format!("-MOVED {} node:1\r\n", slot("a"));
        let (log, answers) = run(exchange(), &router, &[&moved, &moved, ONE]);
        assert_eq!(log.len(), 3, "{log:?}");
        assert_eq!(answers, Some(vec![value(ONE)]));
    }

    #[test]
    fn what_cannot_be_an_answer_ends_it() {
        let router = router("redis://node");
        let (text, hour) = ("value".into(), Duration::from_secs(3600));
        let lease = Lease::new(7);
        let requests = [
            (Request::get("a"), &["$-1\r\n", ONE][..]),
            (Request::set("a", &text, hour), &[":1\r\n"]),
            (Request::delete("a"), &[":0\r\n", ":1\r\n", ":2\r\n"]),
            (Request::lease("a", lease, hour), &["+OK\r\n"]),
            (
                Request::fill("a", lease, &text, hour),
                &[":0\r\n", ":1\r\n"],
            ),
            (Request::release("a", &[lease]), &[":1\r\n"]),
            (
                Request::lease_if_absent("a", lease, &[], hour),
                &[":0\r\n", ":1\r\n", "$1\r\n7\r\n"],
            ),
        ];
        let all = [
            ":0\r\n", ":1\r\n", ":2\r\n", ":3\r\n", "+OK\r\n", "*0\r\n", "$-1\r\n",
        ];
        for (number, (request, right)) in requests.into_iter().enumerate() {
            let others = all.iter().chain([&ONE, &"$1\r\n7\r\n"]);
            for answer in others.chain(right) {
                let mut exchange = Exchange::new([request.clone()]);
                let group = exchange.groups(&router).expect("it is known").remove(0);
                let taken = exchange.take(&group, vec![value(answer)], &router);
                let is_value = number == 0 && answer.starts_with('$');
                let is_right = is_value || right.contains(answer);
                assert_eq!(taken.is_ok(), is_right, "{number}: {answer:?}");
            }
        }
    }

    #[test]
    fn a_connection_that_refuses_is_as_good_as_before() {
        let router = router("redis://node");
        for (answer, is_sound) in [
            ("-OOM no\r\n", true),
            ("-MISCONF no\r\n", true),
            (
                "-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM no\r\n",
                true,
            ),
            ("-ERR no\r\n", false),
            ("-READONLY no\r\n", false),
            (
                "-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY no\r\n",
                false,
            ),
            ("-LOADING no\r\n", false),
        ] {
            let mut exchange = Exchange::new([Request::get("a")]);
            let group = exchange.groups(&router).expect("it is known").remove(0);
            let taken = exchange.take(&group, vec![value(answer)], &router);
            assert_eq!(taken.expect("it is an answer"), is_sound, "{answer}");
        }
    }

    #[test]
    fn a_removal_from_a_slot_on_its_way_is_two() {
        let router = cluster(16383);
        let ask = format!("-ASK {} node:2\r\n", slot("a"));
        let (ask, again, ok) = (&*ask, "-TRYAGAIN later\r\n", "+OK\r\n");
        let answers = [ask, ok, again, ask, ok, ":1\r\n", ask, ok, ":0\r\n"];
        let (log, answers) = run(Exchange::new([Request::delete("a")]), &router, &answers);
        let asked = log.iter().filter(|asked| asked.starts_with("UNLINK"));
        assert_eq!(asked.count(), 6, "{log:?}");
        assert_eq!(answers, Some(vec![Value::Int(0)]));
    }

    #[test]
    fn one_asks_for_all_where_the_servers_are() {
        let until = Instant::now() + Duration::from_secs(60);
        let router = router("redis+cluster://node:1");
        let Step::Search(search) = router.step(until) else {
            panic!("nothing is known");
        };
        assert!(matches!(router.step(until), Step::Wait(_)));
        let failed = router.searched(search, Err(BackendError::new("lost")));
        failed.expect_err("nothing is known");
        let router = cluster(16383);
        assert!(matches!(router.step(until), Step::Nothing));
        let late = Failure::Late;
        let mut exchange = Exchange::new([Request::get("a")]);
        let group = exchange.groups(&router).expect("it is known").remove(0);
        exchange
            .fail(&group, late, &router)
            .expect_err("it is late");
        assert!(
            matches!(router.step(until), Step::Nothing),
            "it may be busy"
        );
        for _ in 0..2 {
            let failed = exchange.fail(&group, Failure::Late, &router);
            failed.expect_err("it is late");
        }
        let Step::Search(search) = router.step(until) else {
            panic!("it may be gone");
        };
        let lost = Failure::Other(BackendError::new("lost"));
        exchange
            .fail(&group, lost, &router)
            .expect_err("it is lost");
        assert!(
            matches!(router.step(until), Step::Nothing),
            "one asks already"
        );
        let guides = router.guides();
        let failed = router.searched(search, Err(BackendError::new("lost")));
        failed.expect("what was known may still do");
        assert!(searches(&router));
        assert_ne!(router.guides(), guides, "another one first");
    }

    #[test]
    fn a_map_that_makes_no_sense_is_an_error() {
        for answer in [
            ":1\r\n",
            "*0\r\n",
            "*1\r\n:1\r\n",
            "*1\r\n*3\r\n:5\r\n:1\r\n*2\r\n+node\r\n:1\r\n",
            "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n+node\r\n:1\r\n",
            "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n+node\r\n:1\r\n",
            "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n+node\r\n:70000\r\n",
            "*1\r\n*3\r\n:0\r\n:9223372036854775807\r\n*2\r\n+node\r\n:1\r\n",
        ] {
            let router = router("redis+cluster://node:1");
            router.learn(&node(1), value(answer)).expect_err(answer);
            assert!(searches(&router));
        }
        let router = router("redis+sentinel://node/service");
        for answer in ["*-1\r\n", "*1\r\n+a\r\n", "*2\r\n+a\r\n+b\r\n", ":1\r\n"] {
            router.learn(&node(1), value(answer)).expect_err(answer);
        }
        router
            .learn(&node(1), value("*2\r\n+node\r\n+2\r\n"))
            .expect("it says where");
        assert_eq!(router.route(0).expect("it is known"), node(2));
        router.doubt();
        assert!(searches(&router), "it may be another one by now");
        assert_eq!(router.route(0).expect("it may still do"), node(2));
    }
}
