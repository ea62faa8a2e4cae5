//! The least of a client, so that a test doesn't ask a server by what it tests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What a server said, in RESP2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status, such as `OK`.
    Status(String),
    /// A refusal.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes, or that there are none.
    Bulk(Option<Vec<u8>>),
    /// A list.
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a status or of bytes; panics for all else.
    pub fn text(self) -> String {
        match self {
            Self::Status(text) => text,
            Self::Bulk(Some(bytes)) => String::from_utf8(bytes).expect("the reply is text"),
            other => panic!("a text was expected, not {other:?}"),
        }
    }

    /// The number; panics for all else.
    pub fn integer(self) -> i64 {
        match self {
            Self::Integer(integer) => integer,
            other => panic!("a number was expected, not {other:?}"),
        }
    }
}

/// For who asks again.
pub(crate) const ONCE: Duration = Duration::from_secs(2);

/// For who doesn't: a busy machine may take as long.
pub(crate) const PATIENTLY: Duration = Duration::from_secs(20);

/// Asks one question over a connection of its own, for at most as long.
pub(crate) fn ask(socket: &Path, command: &[&[u8]], within: Duration) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    let mut request = format!("*{}\r\n", command.len()).into_bytes();
    for part in command {
        request.extend(format!("${}\r\n", part.len()).bytes());
        request.extend(*part);
        request.extend(b"\r\n");
    }
    stream.write_all(&request)?;
    read_reply(&mut BufReader::new(stream))
}

fn read_reply(from: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line
        .strip_suffix("\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(nonsense)?;
    Ok(match kind {
        "+" => Reply::Status(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Integer(number(rest)?),
        "$" => match usize::try_from(number(rest)?) {
            Err(_) => Reply::Bulk(None),
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Reply::Bulk(Some(bytes))
            }
        },
        "*" => (0..number(rest)?)
            .map(|_| read_reply(from))
            .collect::<io::Result<_>>()
            .map(Reply::Array)?,
        _ => return Err(nonsense()),
    })
}

/// The bytes of one whole reply, in RESP2 or RESP3, as they came; nothing where the connection ended.
pub(crate) fn read_frame(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut frame = Vec::new();
    // A reply ends with as many parts as its beginning announced, and each part may announce more.
    let mut parts = 1;
    while parts > 0 {
        parts -= 1;
        let start = frame.len();
        from.read_until(b'\n', &mut frame)?;
        let Some(line) = frame[start..].strip_suffix(b"\r\n") else {
            return Ok(None);
        };
        let line = str::from_utf8(line).map_err(|_| nonsense())?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(nonsense)?;
        match kind {
            "$" | "=" | "!" => {
                if let Ok(length) = u64::try_from(number(rest)?) {
                    let read = from.take(length + 2).read_to_end(&mut frame)?;
                    if u64::try_from(read).ok() != Some(length + 2) {
                        return Ok(None);
                    }
                }
            }
            "*" | "~" | ">" => parts += number(rest)?.max(0),
            "%" => parts += 2 * number(rest)?,
            // Attributes stand before the reply that they are of.
            "|" => parts += 2 * number(rest)? + 1,
            _ => {}
        }
    }
    Ok(Some(frame))
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| nonsense())
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no reply of a Redis server")
}

#[cfg(test)]
mod tests {
    use super::read_frame;

    #[test]
    fn a_frame_is_one_whole_reply() {
        let frames: [&[u8]; 6] = [
            b"+OK\r\n",
            b"$-1\r\n",
            b"$4\r\n\r\n\r\n\r\n",
            b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n",
            b"%1\r\n+a\r\n*0\r\n",
            b"_\r\n",
        ];
        let bytes = frames.concat();
        let mut from = bytes.as_slice();
        for frame in frames {
            let read = read_frame(&mut from).expect("the frames are valid");
            assert_eq!(read.as_deref(), Some(frame));
        }
        assert_eq!(read_frame(&mut from).expect("an end is no error"), None);
        let mut cut: &[u8] = b"*2\r\n:1\r\n$9\r\nab";
        assert_eq!(read_frame(&mut cut).expect("an end is no error"), None);
    }
}
