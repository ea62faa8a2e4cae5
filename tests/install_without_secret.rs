//! Installing a runtime that can't seal: a binary of its own, since it is for the whole process.
#![cfg(feature = "encrypt")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits, Memo, Runtime};
use tracing_subscriber::util::SubscriberInitExt;

/// A backend that others share, as far as it says.
struct Shared;

impl Backend for Shared {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(None)
    }

    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }

    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::new()
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let log = self.0.lock().expect("no test panics in here");
        String::from_utf8(log.clone()).expect("text")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics in here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_encrypts_nothing_is_not_warned_that_there_is_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let listening = subscriber.with_ansi(false).finish().set_default();
    let installed = Runtime::builder().backend(Shared).install();
    installed.expect("none is installed yet");
    let installing = log.text();
    assert!(
        installing.contains("INFO") && installing.contains("`CACHE_MEMOIZE_SECRET`"),
        "{installing}"
    );
    assert!(!installing.contains("WARN"), "{installing}");
    for _ in 0..2 {
        assert_eq!(Memo::new("key").encrypt().get_or_compute(|| 7), 7);
    }
    drop(listening);
    let warnings = log.text().matches("WARN").count();
    assert_eq!(warnings, 1, "{}", log.text());
}
