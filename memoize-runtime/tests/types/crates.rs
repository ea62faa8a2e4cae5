//! Types of widespread crates, each as a field beside another one that changes: what they check when they are read must not
//! hide the change, and they must come back as they were.

use crate::common::{Stored, runtime};
use cache_memoize::Memo;
use serde::{Deserialize, Serialize};

/// In a struct, fields are gone to by their names, and nothing has to be made up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Beside<T, U> {
    before: u8,
    value: T,
    after: U,
}

/// In a tuple, a sample of the value has to be good enough for it, for what is behind to be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Behind<T, U>(u8, T, U);

/// And where it is one of a list, or in an option or a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Within<T, U>(Option<Vec<T>>, U);

fn changes<Old: Stored, New: Stored>(old: &Old, new: &New, memo: fn() -> Memo) {
    let runtime = runtime();
    runtime.scope(|| {
        for _ in 0..2 {
            assert_eq!(&memo().get_or_compute(|| old.clone()), old);
        }
        assert_eq!(&memo().get_or_compute(|| new.clone()), new);
        assert_eq!(&memo().get_or_compute(|| old.clone()), old);
    });
    let stats = runtime.stats();
    assert_eq!(
        (stats.hits, stats.wrong_type, stats.stores, stats.unstorable),
        (1, 2, 3, 0),
        "{old:?} {new:?}"
    );
}

fn is_seen_past<T: Stored>(value: T, memo: fn() -> Memo) {
    let (old, new) = (1_u32, 1_u64);
    changes(
        &Beside {
            before: 1,
            value: value.clone(),
            after: old,
        },
        &Beside {
            before: 1,
            value: value.clone(),
            after: new,
        },
        memo,
    );
    changes(
        &Behind(1, value.clone(), old),
        &Behind(1, value.clone(), new),
        memo,
    );
    changes(
        &Within(Some(vec![value.clone()]), old),
        &Within(Some(vec![value]), new),
        memo,
    );
}

macro_rules! crates {
    ($($name:ident { $($value:expr),* $(,)? })*) => {$(
        #[test]
        fn $name() {
            $(
                is_seen_past($value, || Memo::new("key"));
                #[cfg(feature = "msgpack")]
                is_seen_past($value, || Memo::new("key").msgpack());
            )*
        }
    )*};
}

crates! {
    bytes {
        bytes::Bytes::from_static(b"bytes"),
        bytes::BytesMut::from(&b"bytes"[..]),
    }
    chrono {
        chrono::NaiveDate::from_ymd_opt(2026, 11, 22).expect("a date"),
        chrono::NaiveTime::from_hms_opt(1, 2, 3).expect("a time"),
        chrono::DateTime::from_timestamp(1, 2).expect("a time"),
        chrono::DateTime::from_timestamp(1, 2).expect("a time").fixed_offset(),
        chrono::DateTime::from_timestamp(1, 2).expect("a time").naive_utc(),
        chrono::TimeDelta::seconds(5),
        chrono::Weekday::Mon,
        chrono::Month::May,
    }
    indexmap {
        indexmap::IndexMap::<String, u8>::from([("b".into(), 1), ("a".into(), 2)]),
        indexmap::IndexSet::<u16>::from([2, 1]),
    }
    jiff {
        jiff::Timestamp::UNIX_EPOCH,
        jiff::civil::date(2026, 11, 22),
        jiff::civil::time(1, 2, 3, 4),
        jiff::civil::date(2026, 11, 22).at(1, 2, 3, 4),
        jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1))),
        jiff::SignedDuration::from_secs(5),
    }
    num_bigint {
        num_bigint::BigInt::from(-7) << 100,
        num_bigint::BigUint::from(7_u8) << 100,
    }
    rust_decimal {
        rust_decimal::Decimal::new(12_345, 2),
    }
    semver {
        semver::Version::new(1, 2, 3),
        semver::VersionReq::STAR,
    }
    serde_bytes {
        serde_bytes::ByteBuf::from(*b"bytes"),
        serde_bytes::ByteArray::new([1; 5]),
    }
    smallvec {
        smallvec::SmallVec::<[u8; 4]>::from_slice(&[1, 2, 3, 4, 5]),
    }
    std_types {
        std::num::NonZeroU16::MAX,
        std::net::IpAddr::from([127, 0, 0, 1]),
        std::net::SocketAddr::from(([127, 0, 0, 1], 80)),
        std::time::Duration::from_millis(5),
        std::time::SystemTime::UNIX_EPOCH,
        std::path::PathBuf::from("/a/b"),
        std::ffi::CString::from(c"text"),
        std::ops::Bound::Included(5_u8),
        1_u8..=5,
        std::cmp::Reverse(5_u8),
        std::num::Wrapping(5_u8),
        std::sync::Arc::new(5_u8),
        std::sync::Arc::<str>::from("text"),
        std::borrow::Cow::Borrowed("text"),
        Box::<[u8]>::from([1, 2]),
        std::marker::PhantomData::<u8>,
    }
    time {
        time::OffsetDateTime::UNIX_EPOCH,
        time::UtcDateTime::UNIX_EPOCH,
        time::Date::MIN,
        time::Time::MIDNIGHT,
        time::Duration::seconds(-5),
        time::UtcOffset::UTC,
        time::Weekday::Monday,
        time::Month::May,
    }
    url {
        url::Url::parse("https://example.com/a?b#c").expect("a URL"),
    }
    uuid {
        uuid::Uuid::from_u128(7),
        uuid::NonNilUuid::new(uuid::Uuid::from_u128(7)).expect("it is not nil"),
    }
}

/// It takes whatever it is given, so that postcard can't hold it; by msgpack it comes back, and its neighbours are seen.
#[test]
fn serde_json() {
    let value = ::serde_json::json!({ "list": [1, -2, 3.5, null, true, "text"], "empty": {} });
    let runtime = runtime();
    runtime.scope(|| {
        for _ in 0..2 {
            let found = Memo::new("key").get_or_compute(|| value.clone());
            assert_eq!(found, value);
        }
    });
    let stats = runtime.stats();
    assert_eq!(
        (stats.unstorable, stats.stores, stats.computations),
        (2, 0, 2)
    );

    #[cfg(feature = "msgpack")]
    {
        is_seen_past(value, || Memo::new("key").msgpack());
        is_seen_past(::serde_json::Number::from(5), || Memo::new("key").msgpack());
    }
}
