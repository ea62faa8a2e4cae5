//! Functions with `encrypt` and `encryption_key`, and their companions.

use std::sync::LazyLock;

use cache_memoize::{Secret, cache_memoize};

use super::{Open, VALUE, sealed, secret};

#[cache_memoize(key = "diagnosis:<patient>", encrypt)]
fn diagnosis(patient: &str) -> String {
    format!("{VALUE} about {patient}")
}

static OWN: LazyLock<Secret> = LazyLock::new(|| secret(7));

#[cache_memoize(key = "diagnosis:<patient>", encryption_key = &OWN)]
fn diagnosis_for_us(patient: &str) -> String {
    format!("{VALUE} about {patient}")
}

fn secret_of(tenant: u64) -> &'static Secret {
    static SECRETS: LazyLock<[Secret; 2]> = LazyLock::new(|| [secret(8), secret(9)]);
    &SECRETS[usize::from(tenant > 0)]
}

struct Clinic(&'static str);

static CLINIC: Clinic = Clinic("Bath");

impl Clinic {
    /// The secret is that of an argument, and there is nowhere to put companions.
    #[cache_memoize(key = "<tenant>:<patient>", skip(self), encryption_key = secret_of(*tenant), companions = "functions")]
    fn diagnosis(&self, tenant: u64, patient: &str) -> String {
        format!("{VALUE} about {patient} of {tenant} in {}", self.0)
    }

    #[cache_memoize(skip(self), encryption_key = secret_of(*tenant), companions = false)]
    fn inline(&self, tenant: u64, patient: &str) -> String {
        format!("{VALUE} about {patient} of {tenant} in {}", self.0)
    }

    #[cache_memoize(encrypt, companions = false, skip(self))]
    fn inline_for_all(&self, patient: &str) -> String {
        format!("{VALUE} about {patient} in {}", self.0)
    }
}

#[test]
fn the_attribute_seals() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    runtime.scope(|| {
        for _ in 0..2 {
            diagnosis("Ada");
            diagnosis_for_us("Ada");
            CLINIC.diagnosis(0, "Ada");
            CLINIC.diagnosis(1, "Ada");
            CLINIC.inline(0, "Ada");
            CLINIC.inline_for_all("Ada");
        }
    });
    assert_eq!((runtime.stats().hits, runtime.stats().stores), (6, 6));
    let names = backend.names();
    assert_eq!(names.len(), 6);
    assert!(names.iter().all(|name| name.starts_with("cm1e:")));
}

#[test]
fn companions_know_the_secret() {
    let backend = Open::default();
    sealed(&backend).scope(|| {
        assert!(diagnosis_for_us::prime("Ada", "none".to_owned()));
        assert_eq!(backend.names(), [diagnosis_for_us::key("Ada").as_str()]);
        assert_eq!(diagnosis_for_us::peek("Ada").as_deref(), Some("none"));
        // The same key with the runtime's secret is another entry.
        assert_eq!(diagnosis::peek("Ada"), None);
        assert_ne!(diagnosis_for_us::refresh("Ada"), "none");
        assert_ne!(diagnosis_for_us::peek("Ada").as_deref(), Some("none"));
        assert!(diagnosis_for_us::invalidate("Ada"));
        assert_eq!(backend.names(), [""; 0]);

        CLINIC.diagnosis(1, "Ada");
        let name = Clinic::diagnosis_key(1, "Ada");
        assert_eq!(backend.names(), [name.as_str()]);
        assert!(Clinic::diagnosis_invalidate(0, "Ada"));
        assert_eq!(backend.names().len(), 1);
        assert!(Clinic::diagnosis_invalidate(1, "Ada"));
        assert_eq!(backend.names().len(), 0);
    });
}
