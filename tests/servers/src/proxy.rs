//! A network that cuts, delays and mixes up what it carries.

use std::io::{self, BufReader, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::random::Random;
use crate::resp::read_frame;

/// A part of the question which server it is, and the beginning of the answer.
const GREETING: &[u8] = b"\r\nINFO\r\n";
const GREETED: &[u8] = b"# Server";

/// What a [`Proxy`] does to replies: each to one in so many, chosen by the seed; zero is never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The connection ends, often within a reply.
    pub cut: u64,
    /// The reply comes later, by up to [`longest_delay`](Self::longest_delay).
    pub delay: u64,
    /// The longest delay.
    pub longest_delay: Duration,
    /// The reply and the last one that any connection had for this are exchanged, so an answer to another question comes.
    pub exchange: u64,
    /// The reply comes after the one that follows it, as far as that one comes within 2 ms.
    pub reorder: u64,
    /// The reply is left out: all that follow on the connection answer the question before theirs.
    pub lose: u64,
    /// The reply comes twice: all that follow on the connection answer the question after theirs.
    pub repeat: u64,
}

/// A server in front of a server, that behaves as a bad network does.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts to listen and to forward to `server`, faithfully at first. It ends on drop.
    pub fn start(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            seed,
            ..Shared::default()
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards to another server from now on; connections that stand stay with whom they are with.
    pub fn redirect(&self, server: SocketAddr) {
        *lock(&self.shared.server) = server;
    }

    /// What it does from now on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// How many faults there were so far.
    pub fn faults(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// How many connections to the server it has opened so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many replies of the server it has read so far.
    pub fn replies(&self) -> u64 {
        self.shared.replies.load(Ordering::Relaxed)
    }

    /// Ends a connection in place of its next reply, so many times: what was asked is done, and nobody says so.
    pub fn swallow(&self, replies: u64) {
        self.shared.swallow.store(replies, Ordering::Relaxed);
    }

    /// Hands replies on so many at a time from now on: who waits for one before it asks the next waits in vain.
    pub fn group(&self, replies: u64) {
        self.shared.group.store(replies, Ordering::Relaxed);
    }

    /// Has connections begin undisturbed: which server it is, each asks as the first thing, and is told. It is neither counted nor held.
    pub fn spare_greetings(&self) {
        self.shared.spares_greetings.store(true, Ordering::Relaxed);
    }

    /// Has the next value that is read stay here until what is returned is dropped; all else is handed on.
    pub fn hold(&self) -> Held<'_> {
        let (release, until) = mpsc::channel();
        *lock(&self.shared.hold) = Some(until);
        Held {
            hold: &self.shared.hold,
            _release: release,
        }
    }

    /// Has what is asked next, but for so many questions before it, stay here until what is returned is dropped; then it is handed on,
    /// also if nobody waits for an answer any more. Questions on other connections pass it.
    pub fn hold_question(&self, before: u64) -> Held<'_, (u64, Receiver<()>)> {
        let (release, until) = mpsc::channel();
        *lock(&self.shared.hold_question) = Some((before, until));
        Held {
            hold: &self.shared.hold_question,
            _release: release,
        }
    }

    /// Says something to all clients that nobody asked for.
    pub fn interject(&self, reply: &[u8]) {
        for pair in lock(&self.shared.streams).chunks(2) {
            // Some have gone.
            let _ = (&pair[0]).write_all(reply);
        }
    }

    /// Ends all connections; new ones are taken.
    pub fn cut(&self) {
        for stream in mem::take(&mut *lock(&self.shared.streams)) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A reply or a question that is held back.
#[derive(Debug)]
pub struct Held<'a, T = Receiver<()>> {
    /// Until one takes it.
    hold: &'a Mutex<Option<T>>,
    _release: Sender<()>,
}

impl<T> Held<'_, T> {
    /// Whether one has come to be held.
    pub fn has_come(&self) -> bool {
        lock(self.hold).is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes who accepts.
        let _ = TcpStream::connect(self.address);
        self.cut();
    }
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    seed: u64,
    faults: Mutex<Faults>,
    /// The reply to be exchanged next.
    spare: Mutex<Option<Vec<u8>>>,
    streams: Mutex<Vec<TcpStream>>,
    connections: AtomicU64,
    replies: AtomicU64,
    swallow: AtomicU64,
    group: AtomicU64,
    /// Whoever reads the next value takes this, and hands it on when the other end is gone.
    hold: Mutex<Option<Receiver<()>>>,
    /// The same for questions, with how many pass before.
    hold_question: Mutex<Option<(u64, Receiver<()>)>>,
    count: AtomicU64,
    spares_greetings: AtomicBool,
    over: AtomicBool,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            server: Mutex::new(([127, 0, 0, 1], 0).into()),
            seed: 0,
            faults: Mutex::default(),
            spare: Mutex::default(),
            streams: Mutex::default(),
            connections: AtomicU64::new(0),
            replies: AtomicU64::new(0),
            swallow: AtomicU64::new(0),
            group: AtomicU64::new(1),
            hold: Mutex::default(),
            hold_question: Mutex::default(),
            count: AtomicU64::new(0),
            spares_greetings: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        let mut seeds = Random::new(self.seed);
        for client in listener.incoming() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            // A server that isn't there ends the client's connection, too.
            if let Ok(client) = client {
                let _ = Arc::clone(&self).forward(client, Random::new(seeds.number()));
            }
        }
    }

    fn forward(self: Arc<Self>, client: TcpStream, random: Random) -> io::Result<()> {
        let server = TcpStream::connect(*lock(&self.server))?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        lock(&self.streams).extend([client.try_clone()?, server.try_clone()?]);
        let (questions, asked) = (client.try_clone()?, server.try_clone()?);
        let asking = Arc::clone(&self);
        thread::spawn(move || {
            let _ = asking.ask(&questions, &asked);
            let _ = asked.shutdown(Shutdown::Write);
        });
        thread::spawn(move || {
            let _ = self.answer(&server, &client, random);
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    /// Hands on what is asked. What comes in one piece is one question: clients wait for the answer before they send more.
    fn ask(&self, mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
        let mut piece = vec![0; 1 << 16];
        loop {
            let length = client.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            let piece = &piece[..length];
            let greets = (piece.windows(GREETING.len())).any(|part| part == GREETING);
            if !(greets && self.spares_greetings())
                && let Some(until) = self.held_question()
            {
                let _ = until.recv();
            }
            server.write_all(piece)?;
        }
    }

    fn spares_greetings(&self) -> bool {
        self.spares_greetings.load(Ordering::Relaxed)
    }

    fn held_question(&self) -> Option<Receiver<()>> {
        let mut hold = lock(&self.hold_question);
        if let Some((before, _)) = hold.as_mut()
            && *before > 0
        {
            *before -= 1;
            return None;
        }
        hold.take().map(|(_, until)| until)
    }

    /// Hands on replies until one side or a fault ends the connection.
    fn answer(
        &self,
        server: &TcpStream,
        mut client: &TcpStream,
        mut random: Random,
    ) -> io::Result<()> {
        let mut replies = BufReader::new(server);
        let (mut grouped, mut count) = (Vec::new(), 0);
        while let Some(mut reply) = read_frame(&mut replies)? {
            let greets = (reply.windows(GREETED.len()).take(16)).any(|part| part == GREETED);
            if greets && self.spares_greetings() {
                client.write_all(&reply)?;
                continue;
            }
            self.replies.fetch_add(1, Ordering::Relaxed);
            let one_less = |left: u64| left.checked_sub(1);
            if (self.swallow)
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok()
            {
                return Ok(());
            }
            grouped.append(&mut reply);
            count += 1;
            if count < self.group.load(Ordering::Relaxed) {
                continue;
            }
            (reply, count) = (mem::take(&mut grouped), 0);
            let is_value = reply.starts_with(b"$");
            let hold = is_value.then(|| lock(&self.hold).take()).flatten();
            if let Some(until) = hold {
                let _ = until.recv();
            }
            let faults = *lock(&self.faults);
            let mut chosen = |one_in| {
                let chosen = random.one_in(one_in);
                self.count.fetch_add(u64::from(chosen), Ordering::Relaxed);
                chosen
            };
            if chosen(faults.exchange) {
                let spare = lock(&self.spare).replace(reply.clone());
                reply = spare.unwrap_or(reply);
            }
            let (delayed, reordered) = (chosen(faults.delay), chosen(faults.reorder));
            let (lost, repeated, cut) = (
                chosen(faults.lose),
                chosen(faults.repeat),
                chosen(faults.cut),
            );
            if delayed {
                let most = u64::try_from(faults.longest_delay.as_micros()).unwrap_or(u64::MAX);
                thread::sleep(Duration::from_micros(random.below(most.max(1))));
            }
            if reordered
                && let Some(mut next) = next_within(&mut replies, Duration::from_millis(2))?
            {
                self.replies.fetch_add(1, Ordering::Relaxed);
                mem::swap(&mut reply, &mut next);
                client.write_all(&reply)?;
                reply = next;
            }
            if cut {
                let most = u64::try_from(reply.len()).unwrap_or(u64::MAX);
                let kept = usize::try_from(random.below(most)).unwrap_or(0);
                return client.write_all(&reply[..kept]);
            }
            if repeated {
                client.write_all(&reply)?;
            }
            if !lost {
                client.write_all(&reply)?;
            }
        }
        Ok(())
    }
}

/// The next reply, if it begins soon.
fn next_within(replies: &mut BufReader<&TcpStream>, wait: Duration) -> io::Result<Option<Vec<u8>>> {
    if replies.buffer().is_empty() {
        let server = *replies.get_ref();
        server.set_read_timeout(Some(wait))?;
        let come = server.peek(&mut [0]).is_ok_and(|length| length > 0);
        server.set_read_timeout(None)?;
        if !come {
            return Ok(None);
        }
    }
    read_frame(replies)
}

/// A thread that panicked left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
