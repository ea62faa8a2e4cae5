//! The attribute on what is awaited. Here and not beside the facade's other tests, as these need executors, which the facade's
//! examples shouldn't be built with.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_memoize::{Memory, Runtime, cache_memoize};

fn on_smol<T>(body: impl Future<Output = T>) -> T {
    let runtime = Runtime::builder()
        .backend(Memory::new(1 << 20))
        .build()
        .expect("valid settings");
    smol::block_on(runtime.scope_async(body))
}

fn is_send<T: Send>(future: T) -> T {
    future
}

/// What was computed, and how often.
#[derive(Default)]
struct Db {
    runs: AtomicU64,
}

impl Db {
    async fn load(&self, id: u64) -> u64 {
        smol::future::yield_now().await;
        self.runs.fetch_add(1, Ordering::Relaxed);
        id * 10
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }
}

#[cache_memoize(key = "user:<id>", skip(db))]
async fn load_user(db: &Db, id: u64) -> io::Result<u64> {
    if id == 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(db.load(id).await)
}

#[test]
fn an_async_function_and_its_companions() {
    on_smol(async {
        let db = Db::default();
        assert_eq!(is_send(load_user(&db, 1)).await.expect("found"), 10);
        assert_eq!(load_user(&db, 1).await.expect("found"), 10);
        assert_eq!(db.runs(), 1);
        assert_eq!(is_send(load_user::peek(1)).await, Some(10));
        assert_eq!(load_user::key(1).as_str(), "cache:user:1");
        assert!(is_send(load_user::invalidate(1)).await);
        assert_eq!(load_user::peek(1).await, None);
        assert!(is_send(load_user::prime(1, 11)).await);
        assert_eq!(load_user(&db, 1).await.expect("found"), 11);
        assert_eq!(
            is_send(load_user::refresh(&db, 1)).await.expect("found"),
            10
        );
        assert_eq!(load_user::uncached(&db, 1).await.expect("found"), 10);
        for _ in 0..2 {
            let error = load_user(&db, 0).await.expect_err("not stored");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(load_user::stats().computations, 4);
    });
}

#[test]
fn nothing_happens_before_it_is_awaited() {
    static EVALUATED: AtomicU64 = AtomicU64::new(0);
    #[cache_memoize(key = "lazy:<x>", force_overwrite = EVALUATED.fetch_add(1, Ordering::Relaxed) > 0)]
    async fn lazy(x: u64) -> u64 {
        EVALUATED.fetch_add(10, Ordering::Relaxed) + x
    }
    on_smol(async {
        let call = lazy(1);
        assert_eq!(EVALUATED.load(Ordering::Relaxed), 0);
        assert_eq!(call.await, 2);
        assert_eq!(EVALUATED.load(Ordering::Relaxed), 11);
    });
}

#[cache_memoize(key = "sum:<xs:#>", skip(runs))]
async fn sum(xs: &[u64], runs: &mut u64) -> u64 {
    *runs += 1;
    smol::future::yield_now().await;
    xs.iter().sum()
}

#[test]
fn arguments_may_be_borrowed() {
    on_smol(async {
        let mut runs = 0;
        let xs = vec![1, 2, 3];
        assert_eq!(sum(&xs, &mut runs).await, 6);
        assert_eq!(sum(&[1, 2, 3], &mut runs).await, 6);
        assert_eq!(runs, 1);
    });
}

type Made<T> = Pin<Box<dyn Future<Output = T>>>;

#[cache_memoize(key = "<T>:<id>", skip(make))]
async fn make<T, M>(id: u8, make: M) -> T
where
    T: serde::Serialize + serde::de::DeserializeOwned,
    M: Fn(u8) -> Made<T>,
{
    make(id).await
}

#[test]
fn generic_functions() {
    on_smol(async {
        assert_eq!(
            make(1, |id| Box::pin(async move { u64::from(id) })).await,
            1
        );
        assert_eq!(
            make(1, |id| Box::pin(async move { id.to_string() })).await,
            "1"
        );
        assert_eq!(make(1, |_| Box::pin(async { 2_u64 })).await, 1);
    });
}

#[cache_memoize(key = "future:<name>", skip(db), expiration = Duration::from_secs(60))]
fn as_future<'a>(db: &'a Db, name: &'a str) -> impl Future<Output = u64> + Send + 'a {
    let length = name.len() as u64;
    async move { db.load(length).await }
}

#[cache_memoize(key = "boxed:<name>", skip(db), cache_if = |length| *length > 10)]
fn as_box<'a>(db: &'a Db, name: &'a str) -> Pin<Box<dyn Future<Output = u64> + Send + 'a>> {
    Box::pin(db.load(name.len() as u64))
}

#[test]
fn functions_that_return_a_future() {
    on_smol(async {
        let db = Db::default();
        for _ in 0..2 {
            assert_eq!(is_send(as_future(&db, "three")).await, 50);
            assert_eq!(is_send(as_box(&db, "two")).await, 30);
            assert_eq!(as_box(&db, "a").await, 10, "it isn't stored");
        }
        assert_eq!(db.runs(), 4);
        assert_eq!(as_future::peek("three").await, Some(50));
        assert_eq!(as_future::refresh(&db, "three").await, 50);
        assert_eq!(as_box::peek("a").await, None);
        assert!(as_box::invalidate("two").await);
        assert_eq!(as_box::uncached(&db, "two").await, 30);
    });
}

struct Repo {
    name: String,
    db: Db,
}

impl Repo {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            db: Db::default(),
        }
    }

    #[cache_memoize(key = "method:<self.name>:<id>")]
    pub(crate) async fn method(&self, id: u64) -> u64 {
        self.db.load(id).await
    }

    #[cache_memoize(key = "shared:<self.name>:<id>")]
    pub(crate) async fn shared(self: Arc<Self>, id: u64) -> u64 {
        self.db.load(id).await
    }

    #[cache_memoize(key = "exclusive:<self.name>:<a>:<b>")]
    async fn exclusive(&mut self, (a, mut b): (u64, u64)) -> u64 {
        b += 1;
        self.db.load(a + b).await
    }
}

trait Native {
    fn native(&self, id: u64) -> impl Future<Output = Result<u64, String>> + Send;
    async fn plain(&self, id: u64) -> u64;
}

impl Native for Repo {
    #[cache_memoize(key = "native:<self.name>:<id>")]
    async fn native(&self, id: u64) -> Result<u64, String> {
        if id == 0 {
            Err(self.name.clone())?;
        }
        Ok(self.db.load(id).await)
    }

    #[cache_memoize]
    async fn plain(&self, id: u64) -> u64 {
        self.db.load(id).await
    }
}

impl serde::Serialize for Repo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

#[async_trait::async_trait]
trait Boxed {
    async fn boxed(&self, id: u64) -> Result<u64, String>;

    fn db(&self) -> &Db;

    #[cache_memoize(key = "default:<id>", skip(self))]
    async fn by_default(&self, id: u64) -> u64 {
        self.db().load(id).await
    }
}

#[async_trait::async_trait]
impl Boxed for Repo {
    #[cache_memoize(key = "async_trait:<self.name>:<id>")]
    async fn boxed(&self, mut id: u64) -> Result<u64, String> {
        id += 1;
        let loaded = self.db.load(id).await;
        if loaded > 100 {
            Err("too many".to_owned())
        } else {
            Ok(loaded)
        }
    }

    fn db(&self) -> &Db {
        &self.db
    }
}

#[test]
fn methods_of_every_kind() {
    on_smol(async {
        let mut repo = Repo::new("r");
        for _ in 0..2 {
            assert_eq!(is_send(repo.method(1)).await, 10);
            assert_eq!(is_send(repo.exclusive((1, 1))).await, 30);
            assert_eq!(is_send(repo.native(1)).await, Ok(10));
            assert_eq!(repo.native(0).await, Err("r".to_owned()));
            assert_eq!(repo.plain(1).await, 10);
            assert_eq!(is_send(repo.boxed(1)).await, Ok(20));
            assert_eq!(is_send(repo.by_default(1)).await, 10);
        }
        assert_eq!(repo.db.runs(), 6);
        assert_eq!(repo.method_peek(1).await, Some(10));
        assert_eq!(repo.boxed(10).await, Err("too many".to_owned()));
        let shared = Arc::new(Repo::new("s"));
        for _ in 0..2 {
            assert_eq!(is_send(Arc::clone(&shared).shared(1)).await, 10);
        }
        assert_eq!(shared.db.runs(), 1);
    });
}

#[test]
fn a_body_that_is_not_send_is_a_future_all_the_same() {
    #[cache_memoize(key = "local:<x>", skip(count))]
    async fn local(x: u64, count: Rc<Cell<u64>>) -> u64 {
        count.set(count.get() + 1);
        smol::future::yield_now().await;
        x
    }
    on_smol(async {
        let count = Rc::new(Cell::new(0));
        assert_eq!(local(1, Rc::clone(&count)).await, 1);
        assert_eq!(local(1, Rc::clone(&count)).await, 1);
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn recursion_with_one_key_and_with_others() {
    #[cache_memoize]
    async fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        Box::pin(fibonacci(n - 1)).await + Box::pin(fibonacci(n - 2)).await
    }
    #[cache_memoize(key = "same", skip(depth))]
    async fn same(depth: u64) -> u64 {
        if depth == 0 {
            0
        } else {
            Box::pin(same(depth - 1)).await + 1
        }
    }
    on_smol(async {
        assert_eq!(fibonacci(90).await, 2_880_067_194_370_816_120);
        assert_eq!(fibonacci::stats().computations, 91);
        assert_eq!(same(5).await, 5);
        assert_eq!(same(0).await, 5);
    });
}

/// The guard in the expression is gone when the body runs.
#[test]
fn an_option_holds_nothing_while_the_body_runs() {
    #[cache_memoize(key = "locked", skip(flag), force_overwrite = *flag.lock().expect("no panic"))]
    async fn locked(flag: &std::sync::Mutex<bool>) -> bool {
        smol::future::yield_now().await;
        *flag.try_lock().expect("nobody holds it")
    }
    #[cache_memoize(key = "locked blocking", skip(flag), force_overwrite = *flag.lock().expect("no panic"))]
    fn locked_blocking(flag: &std::sync::Mutex<bool>) -> bool {
        *flag.try_lock().expect("nobody holds it")
    }
    on_smol(async {
        let flag = std::sync::Mutex::new(true);
        assert!(is_send(locked(&flag)).await);
        assert!(locked_blocking(&flag));
    });
}

#[test]
fn what_postcard_refuses_runs_uncached_when_awaited_too() {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Amount {
        Number(u64),
    }
    #[cache_memoize(key = "amount:<id>", skip(db))]
    async fn amount(db: &Db, id: u64) -> Amount {
        Amount::Number(db.load(id).await)
    }
    let db = Db::default();
    on_smol(async {
        assert_eq!(amount(&db, 1).await, Amount::Number(10));
        assert!(!amount::prime(1, Amount::Number(11)).await);
        assert_eq!(amount::peek(1).await, None);
        assert_eq!(amount(&db, 1).await, Amount::Number(10));
    });
    assert_eq!(db.runs(), 2);
    let stats = amount::stats();
    assert_eq!((stats.unstorable, stats.computations), (3, 2));
}
