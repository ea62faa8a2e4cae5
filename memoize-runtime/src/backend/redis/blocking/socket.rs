//! A socket that keeps to a deadline, whatever its peer does.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::url::Address;

/// Reads and writes end with an error of the kind `TimedOut` when `until` comes, also if the peer sends byte by byte.
pub(in super::super) struct Socket {
    raw: Raw,
    pub(super) until: Instant,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

enum Raw {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn connect(address: &Address, until: Instant) -> io::Result<Self> {
        let raw = match address {
            Address::Tcp { host, port } => Raw::Tcp(connect(host, *port, until)?),
            #[cfg(unix)]
            Address::Unix(path) => {
                let path = path.clone();
                Raw::Unix(in_time(until, move || UnixStream::connect(path))?)
            }
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(ErrorKind::Unsupported.into()),
        };
        Ok(Self {
            raw,
            until,
            read_timeout: None,
            write_timeout: None,
        })
    }

    /// Whether the peer is still there and has said nothing unasked. What it did say must not be taken for an answer.
    pub(super) fn is_quiet(&mut self) -> bool {
        let waiting = self.raw.peek();
        waiting.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    fn allow(&mut self, direction: Direction) -> io::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let set = match direction {
            Direction::Read => &mut self.read_timeout,
            Direction::Write => &mut self.write_timeout,
        };
        // A shorter one than is left is as good, since it is looked at the clock again when it is over. So calls with one
        // budget soon need no more system calls for it.
        if set.is_some_and(|set| set <= left && left < set * 2) {
            return Ok(());
        }
        *set = Some(left);
        match (&self.raw, direction) {
            (Raw::Tcp(stream), Direction::Read) => stream.set_read_timeout(Some(left)),
            (Raw::Tcp(stream), Direction::Write) => stream.set_write_timeout(Some(left)),
            #[cfg(unix)]
            (Raw::Unix(stream), Direction::Read) => stream.set_read_timeout(Some(left)),
            #[cfg(unix)]
            (Raw::Unix(stream), Direction::Write) => stream.set_write_timeout(Some(left)),
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

/// Whether to try again: after a timeout that was shorter than what is left.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.allow(Direction::Read)?;
            match self.raw.read(buffer) {
                Err(error) if is_passing(&error) => {}
                read => return read,
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.allow(Direction::Write)?;
            match self.raw.write(bytes) {
                Err(error) if is_passing(&error) => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Raw {
    /// Looks for what there is to be read, without waiting for it; `WouldBlock` where there is nothing.
    #[cfg(target_os = "linux")]
    fn peek(&self) -> io::Result<usize> {
        use rustix::net::{RecvFlags, recv};
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let read = match self {
            Self::Tcp(stream) => recv(stream, &mut [0_u8; 1], flags),
            Self::Unix(stream) => recv(stream, &mut [0_u8; 1], flags),
        };
        Ok(read?.1)
    }

    /// The same in three calls to the system.
    #[cfg(not(target_os = "linux"))]
    fn peek(&mut self) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        let read = self.read(&mut [0]);
        self.set_nonblocking(false)?;
        read
    }

    #[cfg(not(target_os = "linux"))]
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(nonblocking),
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        }
    }
}

fn connect(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let addresses = resolve(host, port, until)?;
    let mut last = ErrorKind::NotFound.into();
    for (index, address) in addresses.iter().enumerate() {
        // Each has its share of the time, so that one which doesn't answer leaves some for the next.
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        if share.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn resolve(host: &str, port: u16, until: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let host = host.to_owned();
    in_time(until, move || find(&host, port))
}

/// Asks the system for the addresses of a name, for as long as it pleases.
pub(in super::super) fn find(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses = (host, port).to_socket_addrs();
    Ok(addresses.map_err(|_| ErrorKind::NotFound)?.collect())
}

/// What takes as long as the system pleases, on a thread that is left alone when the time is over.
fn in_time<T: Send + 'static>(
    until: Instant,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (send, receive) = mpsc::sync_channel(1);
    on_a_thread(move || {
        // Nobody listens any more when it took too long.
        let _ = send.send(work());
    })?;
    let left = until.saturating_duration_since(Instant::now());
    receive.recv_timeout(left).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => ErrorKind::TimedOut.into(),
            RecvTimeoutError::Disconnected => panicked(),
        })
    })
}

pub(in super::super) fn on_a_thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("cache-memoize-connect".to_owned())
        .spawn(work)
        .map(drop)
}

pub(in super::super) fn panicked() -> io::Error {
    io::Error::other("the connecting thread panicked")
}
