//! The service answers, from one cache if it is given one, and stops when it is told to.
#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, process, thread};

use test_servers::{RedisServer, eventually};

struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(folder: &Path, url: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_example-web"))
            .arg(folder)
            .arg("127.0.0.1:0")
            .env("CACHE_MEMOIZE_URL", url)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let output = process.stdout.take().expect("the output is piped");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line
            .trim_end()
            .rsplit('/')
            .next()
            .expect("an address is there");
        Self {
            address: address.to_owned(),
            process,
        }
    }

    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream
            .write_all(request.as_bytes())
            .expect("the request is sent");
        stream
    }

    /// Sends a request; gives the status and the body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.send(method, path, body);
        let mut response = String::new();
        stream
            .read_to_string(&mut response)
            .expect("it is answered");
        let (head, body) = response
            .split_once("\r\n\r\n")
            .expect("the head has an end");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("there is a status"), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, "")
    }

    fn put(&self, path: &str, text: &str) {
        assert_eq!(self.ask("PUT", path, text).0, 204);
    }

    fn stats(&self) -> String {
        self.get("/stats").1.trim_end().to_owned()
    }

    fn tell_to_stop(&self) {
        let id = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill is there").success());
    }

    fn stop(&mut self) {
        self.tell_to_stop();
        let status = self.process.wait().expect("it is a child of ours");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder of articles that is removed with its test.
struct Articles(PathBuf);

impl Articles {
    fn new(test: &str) -> Self {
        let name = format!("example-web-{}-{test}", process::id());
        Self(env::temp_dir().join(name))
    }
}

impl Drop for Articles {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn digest(words: usize, longest: &str) -> (u16, String) {
    (
        200,
        format!(r#"{{"words":{words},"longest_word":"{longest}"}}"#),
    )
}

#[test]
fn without_a_server_the_process_remembers() {
    let articles = Articles::new("memory");
    let mut service = Service::start(&articles.0, "");
    assert_eq!(service.get("/articles/1").0, 404);
    service.put("/articles/1", "once upon a time");
    for _ in 0..2 {
        assert_eq!(service.get("/articles/1"), digest(4, "time"));
    }
    assert_eq!(
        service.stats(),
        "1 hits, 2 misses, 0 unanswered",
        "what wasn't found is asked for again"
    );
    service.put("/articles/1", "once more");
    assert_eq!(service.get("/articles/1"), digest(2, "more"));
    service.stop();
}

#[test]
fn a_request_that_has_begun_is_answered() {
    let articles = Articles::new("graceful");
    let service = Service::start(&articles.0, "");
    service.put("/articles/1", "once upon a time");
    thread::scope(|scope| {
        let answer = scope.spawn(|| service.get("/articles/1"));
        eventually("the miss is counted", || {
            service.stats() == "0 hits, 1 misses, 0 unanswered"
        });
        service.tell_to_stop();
        assert_eq!(answer.join().expect("it is answered"), digest(4, "time"));
    });
}

#[test]
fn who_hangs_up_leaves_no_old_digest() {
    let articles = Articles::new("hang-up");
    let service = Service::start(&articles.0, "");
    service.put("/articles/1", "once upon a time");
    assert_eq!(service.get("/articles/1"), digest(4, "time"));

    // What is written there waits for who reads it: more than a pipe takes.
    let (file, text) = (articles.0.join("1.txt"), "again ".repeat(100_000));
    fs::remove_file(&file).expect("it was written");
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo is there").success());
    let mut request = service.send("PUT", "/articles/1", &text);
    let mut pipe = File::open(&file).expect("it is a pipe");
    pipe.read_exact(&mut [0])
        .expect("the article is being written");
    request
        .shutdown(Shutdown::Write)
        .expect("it is a connection");
    let answered = request.read_to_end(&mut Vec::new());
    assert_eq!(answered.expect("the service hangs up as well"), 0);
    fs::remove_file(&file).expect("it was made");
    fs::write(&file, &text).expect("the folder is there");
    pipe.read_to_end(&mut Vec::new()).expect("it has an end");

    eventually("the new digest is shown", || {
        service.get("/articles/1") == digest(100_000, "again")
    });
}

#[test]
fn who_writes_is_told_where_an_old_digest_may_be_left() {
    let articles = Articles::new("outage");
    let mut redis = RedisServer::start();
    let service = Service::start(&articles.0, &redis.url());
    service.put("/articles/1", "once upon a time");
    redis.kill();
    assert_eq!(service.ask("PUT", "/articles/1", "another").0, 503);
    redis.restart();
    eventually("it can be written", || {
        service.ask("PUT", "/articles/1", "another").0 == 204
    });
}

#[test]
fn with_a_server_one_process_finds_the_work_of_another() {
    let articles = Articles::new("redis");
    let mut redis = RedisServer::start();
    let (mut one, mut other) = (
        Service::start(&articles.0, &redis.url()),
        Service::start(&articles.0, &redis.url()),
    );
    one.put("/articles/1", "once upon a time");
    assert_eq!(one.get("/articles/1"), digest(4, "time"));
    assert_eq!(other.get("/articles/1"), digest(4, "time"));
    assert_eq!(other.stats(), "1 hits, 0 misses, 0 unanswered");

    other.put("/articles/1", "another story");
    assert_eq!(one.get("/articles/1"), digest(2, "another"));
    assert_eq!(one.stats(), "0 hits, 2 misses, 0 unanswered");

    redis.kill();
    assert_eq!(
        one.get("/articles/1"),
        digest(2, "another"),
        "it needs no server to answer"
    );
    one.stop();
    other.stop();
}
