//! One Redis server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use crate::network::free_port;
use crate::process::Process;
use crate::resp::{self, Reply};
use crate::tls;

/// A Redis server of its own: on 127.0.0.1, and on a Unix socket. It keeps nothing on disk.
#[derive(Debug)]
pub struct RedisServer {
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Plain,
    Tls,
    /// With the lines of its configuration.
    Sentinel(String),
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more options, as in `["--maxmemory", "8mb"]`.
    pub fn with(options: &[&str]) -> Self {
        Self::launch(&Kind::Plain, options)
    }

    /// A server that speaks TLS alone, for `localhost` and 127.0.0.1, with the certificate of an authority of its own: see
    /// [`ca_certificate`](Self::ca_certificate).
    pub fn with_tls() -> Self {
        Self::launch(&Kind::Tls, &[])
    }

    /// A sentinel, which is a Redis server of another kind, with these lines of configuration.
    pub(crate) fn sentinel(configuration: String) -> Self {
        Self::launch(&Kind::Sentinel(configuration), &[])
    }

    fn launch(kind: &Kind, options: &[&str]) -> Self {
        let folder = new_folder();
        if matches!(kind, Kind::Tls) {
            tls::make_certificates(&folder);
        }
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        // Another process may take the port between our look and the server's.
        for _ in 0..10 {
            let mut server = Self {
                process: None,
                folder: folder.clone(),
                port: free_port(),
                options: options.clone(),
                kind: kind.clone(),
            };
            server.run();
            if server.answers() {
                return server;
            }
            server.kill();
        }
        panic!("no port could be had for a Redis server");
    }

    /// `redis://127.0.0.1:<port>`, or `rediss:` with TLS.
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Tls => "rediss",
            Kind::Plain | Kind::Sentinel(_) => "redis",
        };
        format!("{scheme}://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// The certificate, in PEM, of who signed the certificate of a server [`with_tls`](Self::with_tls).
    pub fn ca_certificate(&self) -> Vec<u8> {
        fs::read(self.ca_certificate_file()).expect("the server was started with TLS")
    }

    /// The file that it is in, for as long as the server is there.
    pub fn ca_certificate_file(&self) -> PathBuf {
        self.folder.join(tls::CA_CERTIFICATE)
    }

    /// Asks over a connection of its own, by the Unix socket. Panics if the server is not there, or refuses.
    pub fn command(&self, command: &[&str]) -> Reply {
        let answered = self.try_command(command);
        answered.unwrap_or_else(|error| panic!("the server refused a command: {error}"))
    }

    /// The same, with the text of a refusal.
    ///
    /// # Errors
    /// The server refuses.
    pub fn try_command(&self, command: &[&str]) -> Result<Reply, String> {
        let command: Vec<_> = command.iter().map(|part| part.as_bytes()).collect();
        match resp::ask(&self.socket(), &command, resp::PATIENTLY).expect("the server answers") {
            Reply::Error(error) => Err(error),
            reply => Ok(reply),
        }
    }

    /// How often each command was called since the start or the last `CONFIG RESETSTAT`, by its name in lower case.
    /// Commands within scripts count as well, and so do the two `INFO` and `CONFIG|RESETSTAT` that it took to ask.
    pub fn command_stats(&self) -> BTreeMap<String, u64> {
        let stats = self.command(&["INFO", "commandstats"]).text();
        let stats = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            let calls = rest.strip_prefix("calls=")?.split(',').next()?;
            Some((name.to_owned(), calls.parse().ok()?))
        });
        stats.collect()
    }

    /// Kills the server as `kill -9` does; its port refuses connections from then on, and what it kept is lost.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("KILL");
            // A socket's file stays behind, and would be taken for the next server's.
            let _ = fs::remove_file(self.socket());
        }
    }

    /// Starts the server again, empty, on the port it had, and waits until it answers.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
        assert!(self.answers(), "the server's port was taken meanwhile");
    }

    /// Stops the server as `kill -STOP` does: connections are taken by the system, and nothing answers.
    pub fn stop(&mut self) {
        self.signal("STOP");
    }

    /// Lets a stopped server go on, which then answers what it was asked meanwhile.
    pub fn cont(&mut self) {
        self.signal("CONT");
    }

    fn signal(&mut self, signal: &str) {
        let process = self.process.as_mut();
        process.expect("the server was not killed").signal(signal);
    }

    fn run(&mut self) {
        let folder = self.folder.display();
        let port = self.port;
        let server = env::var("TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let own = match &self.kind {
            Kind::Plain => format!("--port {port} --save  --appendonly no"),
            Kind::Tls => {
                let tls = tls::options(&self.folder);
                format!("--port 0 --tls-port {port} {tls} --save  --appendonly no")
            }
            Kind::Sentinel(_) => format!("--port {port} --sentinel"),
        };
        let own = format!("{own} --bind 127.0.0.1 --dir {folder} --unixsocket {folder}/redis.sock");
        let mut command = vec![server];
        if let Kind::Sentinel(configuration) = &self.kind {
            let file = self.folder.join("sentinel.conf");
            fs::write(&file, configuration).expect("the folder can be written");
            command.push(file.display().to_string());
        }
        command.extend(own.split(' ').map(str::to_owned));
        command.extend(self.options.iter().cloned());
        self.process = Some(Process::start(&self.folder, &command));
    }

    /// Whether it answers, and not that its port was taken.
    fn answers(&self) -> bool {
        let start = Instant::now();
        // A server that can't have its port ends before it opens its socket.
        while resp::ask(&self.socket(), &[b"PING"], resp::ONCE).is_err() {
            let output = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
            if output.contains("Failed listening on port") {
                return false;
            }
            assert!(
                !output.contains("not found"),
                "redis-server is not installed; on Debian `apt-get install redis-server`"
            );
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the Redis server doesn't start:\n{output}"
            );
            thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.process.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder with a name short enough for sockets.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test-servers-{}-{number}", process::id());
    let folder = env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}
