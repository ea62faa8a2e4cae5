//! Calls that are not polled as tasks are: not again for long, or elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use memoize_runtime::{AsyncBackend, Backend, BackendError, Bytes};
use test_servers::{Proxy, RedisServer, eventually};
use tokio::runtime::{Builder, Runtime};

use crate::clients::{open, soon};

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Option<Bytes>, BackendError>> + Send + 'a>>;

fn twin(proxy: &Proxy) -> Arc<dyn AsyncBackend> {
    let redis = Arc::new(open(&format!("redis://{}", proxy.address())));
    redis.async_twin().expect("it has one")
}

fn tasks() -> Runtime {
    let tasks = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_io()
        .build();
    tasks.expect("the system has threads")
}

fn poll(asked: &mut Asked<'_>) -> Poll<bool> {
    let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    polled.map(|answer| answer.is_ok())
}

#[test]
fn one_that_is_not_polled_again_holds_up_nobody() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let twin = twin(&proxy);
    let tasks = tasks();
    let _parked = {
        let _in_there = tasks.enter();
        let mut parked = twin.get("key", soon());
        assert_eq!(poll(&mut parked), Poll::Pending, "it connects");
        parked
    };
    let found = tasks.block_on(async { twin.get("key", soon()).await });
    assert_eq!(found.expect("it waits for nobody"), None);
    assert_eq!(proxy.connections(), 1, "they have one");
}

#[test]
fn one_that_is_polled_outside_of_its_runtime_ends_there() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let twin = twin(&proxy);
    let tasks = tasks();
    let mut asked = {
        let _in_there = tasks.enter();
        let mut asked = twin.get("key", soon());
        assert_eq!(poll(&mut asked), Poll::Pending, "it connects");
        asked
    };
    let mut outcome = Poll::Pending;
    eventually("it has an end", || {
        outcome = poll(&mut asked);
        outcome.is_ready()
    });
    drop(asked);
    // Its runtime is not taken for one without I/O, in which others would be asked by other connections.
    let found = tasks.block_on(async { twin.get("key", soon()).await });
    assert_eq!(found.expect("it works"), None);
    assert_eq!(proxy.connections(), 1, "{outcome:?}");
}
