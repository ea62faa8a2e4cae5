//! Any bytes as the answers of a backend: a memoized function returns what the plain one does.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Runtime, cache_memoize,
};
use libfuzzer_sys::fuzz_target;

#[cache_memoize(key = "value:<x>")]
fn value(x: u64) -> Vec<String> {
    (0..x % 50).map(|n| format!("{n}")).collect()
}

#[cache_memoize(key = "sealed:<x>", encrypt)]
fn sealed(x: u64) -> (u64, String) {
    (x, "sealed".to_owned())
}

#[cache_memoize(key = "items:<x>")]
fn items(x: u64) -> impl Iterator<Item = String> {
    (0..x % 50).map(move |n| format!("{x}:{n}"))
}

/// Holds what it is given, and answers as the input says.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    entries: BTreeMap<String, Bytes>,
    input: Vec<u8>,
}

impl Script {
    fn byte(&mut self) -> u8 {
        self.input.pop().unwrap_or_default()
    }

    /// What is there, something like it, something else, or anything.
    fn answer(&mut self, key: &str) -> Result<Option<Bytes>, BackendError> {
        let found = self.entries.get(key).cloned();
        let how = self.byte();
        let mut bytes = match how % 8 {
            0..=3 => found,
            4 => {
                let nth = usize::from(self.byte()) % self.entries.len().max(1);
                self.entries.values().nth(nth).cloned()
            }
            5 => None,
            6 => {
                let len = usize::from(self.byte()).min(self.input.len());
                Some(self.input.split_off(self.input.len() - len).into())
            }
            _ => return Err(BackendError::new("scripted")),
        };
        if how & 8 != 0
            && let Some(before) = bytes
        {
            let mut after = before.to_vec();
            match (self.byte() % 4, usize::from(self.byte())) {
                (0, at) => after.truncate(at),
                (1, at) if at < after.len() => after[at] ^= 1 << (self.byte() % 8),
                (2, at) if at < after.len() => after[at] = self.byte(),
                _ => after.push(self.byte()),
            }
            bytes = Some(after.into());
        }
        Ok(bytes)
    }
}

impl Backend for Scripted {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.0.lock().expect("no panic in here").answer(key)
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        let mut script = self.0.lock().expect("no panic in here");
        if script.byte() % 8 == 7 {
            return Err(BackendError::new("scripted"));
        }
        script.entries.insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.0.lock().expect("no panic in here").entries.remove(key);
        Ok(())
    }

    fn get_many(&self, keys: &[&str], _: Deadline) -> Result<Vec<Option<Bytes>>, BackendError> {
        let mut script = self.0.lock().expect("no panic in here");
        let mut found = keys
            .iter()
            .map(|key| script.answer(key))
            .collect::<Result<Vec<_>, _>>()?;
        match script.byte() {
            255 => found.push(None),
            254 => found.clear(),
            _ => {}
        }
        Ok(found)
    }

    fn get_or_lease(
        &self,
        key: &str,
        _: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        let found = self.get(key, deadline)?;
        let lease = Lease::new(1 + u64::from(self.0.lock().expect("no panic in here").byte()));
        Ok(found.map_or(Lookup::Granted(lease), Lookup::Found))
    }

    fn limits(&self) -> Limits {
        // Of this process, so that it has a secret.
        Limits::new().value_bytes(200).shared(false).blocking(false)
    }
}

fuzz_target!(|input: &[u8]| {
    let scripted = Scripted::default();
    let runtime = Runtime::builder()
        .backend(scripted.clone())
        .longest_wait(Duration::from_millis(1))
        .build()
        .expect("valid settings");
    scripted.0.lock().expect("no panic in here").input = input.to_vec();
    runtime.scope(|| {
        for round in 0..3 {
            for x in [3, 49 + round % 2] {
                assert_eq!(value(x), value::uncached(x));
                assert_eq!(sealed(x), sealed::uncached(x));
                assert!(items(x).eq(items::uncached(x)));
            }
        }
        value::invalidate(3);
        assert_eq!(value(3), value::uncached(3));
    });
});
