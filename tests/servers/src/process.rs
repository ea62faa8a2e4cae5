//! A process that doesn't outlive the test.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Sends the signals that it reads, and says when each is sent. At the end of its input, which comes with the test's end however
/// that ends, it kills the process and removes the folder.
const KEEPER: &str = r#"
trap '' HUP INT TERM
folder=$1
shift
"$@" </dev/null >"$folder/output" 2>&1 &
server=$!
while read -r signal; do
    kill -"$signal" "$server"
    if [ "$signal" = KILL ]; then
        wait "$server"
        echo KILL
        exit
    fi
    echo "$signal"
done
kill -KILL "$server"
wait "$server"
rm -rf "$folder"
"#;

/// A running process with a folder of its own.
pub(crate) struct Process {
    keeper: Child,
    signals: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command`, whose output goes to the file `output` in `folder`. What was not killed is on drop, and the folder is
    /// removed with it.
    pub(crate) fn start(folder: &Path, command: &[String]) -> Self {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(folder)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let signals = keeper.stdin.take();
        let answers = keeper.stdout.take().expect("the output is piped");
        Self {
            keeper,
            signals,
            answers: BufReader::new(answers),
        }
    }

    /// Sends `signal`, such as `STOP`. `KILL` returns when the process is gone, and leaves the folder as it is.
    pub(crate) fn signal(&mut self, signal: &str) {
        let signals = self.signals.as_mut().expect("the input is open until drop");
        writeln!(signals, "{signal}")
            .expect("the keeper reads signals until the process is killed");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the keeper answers");
        assert_eq!(answer.trim_end(), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.signals.take());
        let _ = self.keeper.wait();
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process")
    }
}
