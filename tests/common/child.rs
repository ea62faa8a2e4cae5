//! Children that a test forks: `fork` is done without `unsafe` here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::thread;
use std::time::Duration;

use fork::Fork;

/// Whether what is done in a child of this process comes to its end, without a panic.
pub(crate) fn in_child(work: impl FnOnce()) -> bool {
    match fork::fork().expect("there is room for another process") {
        Fork::Parent(child) => fork::waitpid(child).expect("it was not waited for") == 0,
        Fork::Child => {
            thread::spawn(|| {
                thread::sleep(Duration::from_secs(30));
                // As a mark for who looks: it hangs.
                process::abort();
            });
            let done = catch_unwind(AssertUnwindSafe(work));
            process::exit(i32::from(done.is_err()));
        }
    }
}
