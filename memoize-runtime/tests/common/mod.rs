//! What several tests need.

use std::io;
use std::sync::{Arc, Mutex};

use cache_memoize::Runtime;

pub(crate) fn runtime() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

/// What is logged by `work`.
pub(crate) fn logged(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panicked").extend(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let text = log.0.lock().expect("no writer panicked").clone();
    String::from_utf8(text).expect("logs are text")
}
