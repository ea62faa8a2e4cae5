//! One connection of the blocking client.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use redis::{Cmd, Parser, RedisError, Value};

use super::super::ANSWER_BYTES;
use super::super::error::{self, Failure};
use super::super::login::Greeting;
use super::super::origin::RunId;
use super::super::tls::{Tls, TlsStream};
use super::super::url::Address;
use super::socket::Socket;
use crate::backend::BackendError;

/// A connection that has answered all that it was asked. One that has not is dropped, so that no answer can be taken for
/// that to another question.
pub(super) struct Link {
    stream: Stream,
    /// Whether somebody else had it before, so that it may have been lost since.
    pub(super) reused: bool,
    pub(super) run_id: Option<RunId>,
    /// When it was opened, by the count of [`Origin::epoch`](super::super::origin::Origin::epoch).
    pub(super) epoch: u64,
    /// [`Shared::connected`](super::super::Shared).
    pub(super) among: Option<Arc<()>>,
}

enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

impl Link {
    pub(super) fn open(
        address: &Address,
        tls: Option<&Tls>,
        greeting: &Greeting,
        until: Instant,
    ) -> Result<Self, BackendError> {
        let socket = Socket::connect(address, until).map_err(error::of_io)?;
        let stream = match (tls, address) {
            (Some(tls), Address::Tcp { host, .. }) => tls
                .blocking(host, socket)
                .map(|stream| Stream::Tls(Box::new(stream)))?,
            _ => Stream::Plain(socket),
        };
        let mut link = Self {
            stream,
            reused: false,
            run_id: None,
            epoch: 0,
            among: None,
        };
        let commands = greeting.commands();
        if !commands.is_empty() {
            let commands: Vec<_> = commands.iter().collect();
            let mut answers = Vec::new();
            let sent = link.send(&commands, until);
            let received = link.receive_all(commands.len(), &mut answers, until);
            // One that takes no more connections says so unasked, and hangs up.
            if !matches!(answers[..], [Value::ServerError(_)]) {
                sent.and(received).map_err(Failure::of_new_connection)?;
            }
            link.run_id = greeting.check(&answers)?;
        }
        Ok(link)
    }

    /// Whether it can be used again after a while.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.socket().is_quiet()
    }

    pub(super) fn ask(&mut self, commands: &[&Cmd], until: Instant) -> Result<Vec<Value>, Failure> {
        self.send(commands, until)?;
        self.receive(commands.len(), until)
    }

    pub(super) fn send(&mut self, commands: &[&Cmd], until: Instant) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for command in commands {
            command.write_packed_command(&mut bytes);
        }
        self.socket().until = until;
        let sent = self
            .stream
            .write_all(&bytes)
            .and_then(|()| self.stream.flush());
        sent.map_err(|error| self.failure(error.into()))
    }

    pub(super) fn receive(
        &mut self,
        answers: usize,
        until: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut received = Vec::with_capacity(answers);
        self.receive_all(answers, &mut received, until)?;
        Ok(received)
    }

    /// Receives so many answers, and as many of them as come.
    fn receive_all(
        &mut self,
        answers: usize,
        received: &mut Vec<Value>,
        until: Instant,
    ) -> Result<(), Failure> {
        self.socket().until = until;
        let mut reader = Bounded {
            stream: &mut self.stream,
            left: ANSWER_BYTES,
        };
        // With a parser of its own, nothing unasked stays behind in one.
        let mut parser = Parser::new();
        let mut is_first = true;
        while received.len() < answers {
            match parser.parse_value(&mut reader) {
                // Between answers; nothing is subscribed to.
                Ok(Value::Push { .. }) => {}
                Ok(answer) => received.push(answer),
                Err(_) if reader.left == 0 => {
                    return Err(Failure::TooLong);
                }
                Err(error) if is_first && reader.left == ANSWER_BYTES => {
                    return Err(self.failure(error));
                }
                Err(error) if error.is_timeout() => return Err(Failure::Late),
                Err(error) => return Err(error::of_client(error).into()),
            }
            reader.left = ANSWER_BYTES;
            is_first = false;
        }
        Ok(())
    }

    /// What the server says unasked; none if it says nothing until then.
    pub(super) fn hear(
        &mut self,
        parser: &mut Parser,
        until: Instant,
    ) -> Result<Option<Value>, BackendError> {
        self.socket().until = until;
        let mut reader = Bounded {
            stream: &mut self.stream,
            left: ANSWER_BYTES,
        };
        match parser.parse_value(&mut reader) {
            Ok(said) => Ok(Some(said)),
            Err(error) if reader.left == ANSWER_BYTES && error.is_timeout() => Ok(None),
            Err(error) => Err(error::of_client(error)),
        }
    }

    /// What it means that nothing was answered at all.
    fn failure(&self, error: RedisError) -> Failure {
        if error.is_timeout() {
            return Failure::Late;
        }
        let stale = self.reused && error.is_connection_dropped();
        let error = error::of_client(error);
        if stale {
            Failure::Stale(error)
        } else {
            Failure::Other(error)
        }
    }

    fn socket(&mut self) -> &mut Socket {
        match &mut self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &mut stream.sock,
        }
    }
}

/// No more than is believed to be an answer.
struct Bounded<'a> {
    stream: &'a mut Stream,
    left: usize,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let read = self.stream.read(buffer)?;
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
