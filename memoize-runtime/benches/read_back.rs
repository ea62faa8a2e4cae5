//! What it costs that each write is read back of a type with a `Deserialize` of its own: the write of a struct with such a field, or a
//! list, beside that of one for which the same code writes the same bytes, and which is believed. The least of some rounds, in turns, in nanoseconds.
//!
//! `cargo bench -p memoize-runtime --bench read_back`

use std::env;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use memoize_runtime::{Cacheable, Memo, Runtime};
use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::ByteBuf;
use url::Url;
use uuid::Uuid;

const CALLS: u32 = 10;

#[derive(Clone, Serialize, Deserialize)]
struct Order<T> {
    id: u64,
    customer: String,
    field: T,
}

static TIME: LazyLock<DateTime<Utc>> =
    LazyLock::new(|| DateTime::from_timestamp(1_790_000_000, 123_456_789).expect("it is a time"));
static ID: LazyLock<Uuid> = LazyLock::new(|| Uuid::from_u128(1 << 100 | 1));
static ADDRESS: LazyLock<Url> =
    LazyLock::new(|| Url::parse("https://example.com/orders/7?of=today").expect("it is a URL"));

/// A type that is written as this value, and is believed since what reads it is derived.
macro_rules! believed {
    ($name:ident($read:ty) as $value:ident) => {
        #[derive(Clone, Default, Deserialize)]
        struct $name($read);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                black_box(&self.0);
                serializer.serialize_newtype_struct(stringify!($name), &*$value)
            }
        }
    };
}

believed!(AsTime(String) as TIME);
believed!(AsId(ByteBuf) as ID);
believed!(AsAddress(String) as ADDRESS);

fn main() {
    // `cargo test` runs this too, to see that it works.
    let measures = env::args().any(|argument| argument == "--bench");
    let rounds = if measures { 500 } else { 1 };
    println!("ns a write               read back  believed");
    compare(rounds, "chrono::DateTime<Utc>", *TIME, AsTime::default());
    compare(rounds, "uuid::Uuid", *ID, AsId::default());
    compare(rounds, "url::Url", ADDRESS.clone(), AsAddress::default());
    println!("of a thousand in a list");
    compare_lists(rounds, "chrono::DateTime<Utc>", *TIME, AsTime::default());
    compare_lists(rounds, "uuid::Uuid", *ID, AsId::default());
    compare_lists(rounds, "url::Url", ADDRESS.clone(), AsAddress::default());
}

fn compare_lists<A, B>(rounds: usize, name: &str, read_back: A, believed: B)
where
    A: Clone,
    B: Clone,
    Order<Vec<(u32, A)>>: Cacheable + Clone,
    Order<Vec<(u32, B)>>: Cacheable + Clone,
{
    compare(rounds, name, numbered(read_back), numbered(believed));
}

/// Lists whose order is known after the first.
fn numbered<T: Clone>(field: T) -> Vec<(u32, T)> {
    (0..1_000).map(|number| (number, field.clone())).collect()
}

fn compare<A, B>(rounds: usize, name: &str, read_back: A, believed: B)
where
    A: Clone,
    B: Clone,
    Order<A>: Cacheable + Clone,
    Order<B>: Cacheable + Clone,
{
    let runtime = Runtime::builder().build().expect("valid settings");
    let mut least = [Duration::MAX; 2];
    runtime.scope(|| {
        for _ in 0..rounds {
            let took = [round(&read_back), round(&believed)];
            least = std::array::from_fn(|of| least[of].min(took[of]));
        }
    });
    let stats = runtime.stats();
    assert_eq!(stats.unstorable, 0, "{stats:?}");
    let [read_back, believed] = least.map(|least| least.as_nanos() / u128::from(CALLS));
    println!("{name:24} {read_back:9}  {believed:8}");
}

fn round<T: Clone>(field: &T) -> Duration
where
    Order<T>: Cacheable + Clone,
{
    let began = Instant::now();
    for id in 0..CALLS {
        let order = || Order {
            id: u64::from(id),
            customer: "Ada Lovelace".to_owned(),
            field: field.clone(),
        };
        let memo = Memo::new(("order", id)).force_overwrite(true);
        black_box(memo.get_or_compute(order));
    }
    began.elapsed()
}
