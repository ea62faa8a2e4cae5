use super::*;

mod scratch {
    use super::*;
    use serde::{Deserialize, Serialize};
    use std::collections::*;
    #[derive(Serialize, Deserialize)]
    struct User {
        id: u64,
        #[serde(alias = "nick")]
        name: String,
        tags: Vec<String>,
        boss: Option<Box<User>>,
        kind: Kind,
        pair: (u8, Kind, String),
        big: [u8; 32],
    }
    #[derive(Serialize, Deserialize)]
    enum Kind {
        A,
        B(u8),
        C(u8, String),
        #[serde(alias = "DD")]
        D {
            x: u8,
            y: Box<Kind>,
        },
    }
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Un {
        A(u8),
        B(String),
    }
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "t", content = "c")]
    enum Adj {
        A(u8),
        B(String),
        C,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "t")]
    enum Int {
        A { x: u8 },
        B { y: String },
        C,
    }
    #[derive(Serialize, Deserialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        b: BTreeMap<String, u8>,
    }
    fn show<T: serde::de::DeserializeOwned>() {
        let start = std::time::Instant::now();
        let s = trace::<T>();
        eprintln!(
            "{}: {s}   [{:?}]",
            std::any::type_name::<T>(),
            start.elapsed()
        );
    }
    #[test]
    fn look() {
        show::<u8>();
        show::<User>();
        show::<Vec<(Un, u8)>>();
        show::<Un>();
        show::<Adj>();
        show::<Int>();
        show::<Flat>();
        show::<HashMap<String, Vec<Kind>>>();
        show::<std::net::IpAddr>();
        show::<std::net::SocketAddr>();
        show::<(std::time::Duration, std::time::SystemTime, u8)>();
        show::<(
            std::num::NonZeroU8,
            std::path::PathBuf,
            std::ops::Range<u8>,
            std::ffi::CString,
            u8,
        )>();
        show::<(
            chrono::NaiveDate,
            chrono::DateTime<chrono::Utc>,
            chrono::NaiveTime,
            chrono::Month,
            chrono::Weekday,
            u8,
        )>();
        show::<(
            time::OffsetDateTime,
            time::Date,
            time::Time,
            time::Duration,
            time::UtcOffset,
            time::Weekday,
            u8,
        )>();
        show::<(
            jiff::Timestamp,
            jiff::Zoned,
            jiff::civil::Date,
            jiff::Span,
            jiff::SignedDuration,
            u8,
        )>();
        show::<(
            uuid::Uuid,
            url::Url,
            serde_bytes::ByteBuf,
            rust_decimal::Decimal,
            u8,
        )>();
        show::<(
            indexmap::IndexMap<String, u8>,
            smallvec::SmallVec<[u8; 4]>,
            bytes::Bytes,
            semver::Version,
            num_bigint::BigInt,
            u8,
        )>();
        show::<serde_json::Value>();
        show::<Result<Option<Result<u8, String>>, ()>>();
    }
}
