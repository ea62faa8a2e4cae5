//! What is logged from the level `info` on.

use std::cell::RefCell;
use std::io::{self, Write};
use std::mem;
use std::sync::Once;

use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What this thread logs while `body` runs.
pub(crate) fn logged(body: impl FnOnce()) -> String {
    // For all threads: what is first logged by one without a subscriber may be taken for of no interest to anybody.
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_writer(|| Log);
        subscriber.with_ansi(false).finish().init();
    });
    LOG.take();
    body();
    let log = LOG.with_borrow_mut(mem::take);
    String::from_utf8(log).expect("text")
}
