//! What several tests need.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use cache_memoize::Runtime;

pub(crate) fn runtime() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

/// What is logged by `work`, on this thread.
///
/// One subscriber is there for all tests: where each has its own, an event that is first met by a thread without one may be taken for
/// of no interest to anybody.
pub(crate) fn logged(work: impl FnOnce()) -> String {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_writer(|| ThreadLog)
            .init();
    });
    LOG.set(Some(Vec::new()));
    work();
    let text = LOG.take().expect("it was begun");
    String::from_utf8(text).expect("logs are text")
}

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes to the log of the thread, if it keeps one.
struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| {
            if let Some(log) = log {
                log.extend(text);
            }
        });
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
