//! A function's own secret, rotated.

use std::cell::Cell;

use cache_memoize::{Memory, Runtime, Secret, cache_memoize};
use futures::executor::block_on;

use crate::secret;

thread_local! {
    /// The number of the deployment that this process is of.
    static DEPLOYED: Cell<u8> = const { Cell::new(1) };
    static COMPUTED: Cell<u32> = const { Cell::new(0) };
}

/// The secret of this deployment, and that of the one before.
fn of_deployment() -> Secret {
    let number = DEPLOYED.get();
    let current = secret(number);
    if number == 1 {
        return current;
    }
    let rotated = current.with_previous(secret(number - 1));
    rotated.expect("they differ")
}

#[cache_memoize(key = "balance:<id>", encryption_key = &of_deployment())]
fn balance(id: u32) -> u32 {
    COMPUTED.set(COMPUTED.get() + 1);
    id
}

#[cache_memoize(key = "balance:<id>", encryption_key = &of_deployment())]
async fn balance_awaited(id: u32) -> u32 {
    COMPUTED.set(COMPUTED.get() + 1);
    id
}

type Call = (fn(u32) -> u32, fn(u32) -> bool);

const CALLS: [Call; 2] = [
    (balance, balance::invalidate),
    (
        |id| block_on(balance_awaited(id)),
        |id| block_on(balance_awaited::invalidate(id)),
    ),
];

/// How often it is computed by a call of a process of that deployment.
fn computed(deployment: u8, call: fn(u32) -> u32) -> u32 {
    DEPLOYED.set(deployment);
    let before = COMPUTED.get();
    assert_eq!(call(7), 7);
    COMPUTED.get() - before
}

#[test]
fn each_deployment_reads_what_the_one_before_has_sealed() {
    for (call, invalidate) in CALLS {
        let memory = Memory::new(1 << 20);
        let runtime = Runtime::builder().backend(memory.clone());
        runtime.build().expect("valid settings").scope(|| {
            assert_eq!(computed(1, call), 1);
            assert_eq!(computed(2, call), 0);
            assert_eq!(Runtime::current().stats().resealed, 1);
            assert_eq!(computed(2, call), 0);
            // It was sealed anew: the first secret is not needed any more.
            assert_eq!(computed(3, call), 0);
            assert_eq!(computed(5, call), 1, "one was left out");
            assert!(invalidate(7));
            assert_eq!(computed(5, call), 1);

            DEPLOYED.set(6);
            assert!(invalidate(7));
            assert_eq!(
                computed(5, call),
                1,
                "what the one before has sealed is gone"
            );
        });
    }
}

#[test]
fn too_many_and_the_same_are_refused() {
    let mut rotated = secret(1);
    for number in 2..=4 {
        let next = secret(number).with_previous(rotated);
        rotated = next.expect("up to three");
    }
    let many = secret(5).with_previous(rotated.clone());
    assert!(
        many.expect_err("there are four")
            .to_string()
            .contains("too many")
    );
    let many = rotated.with_previous(secret(5));
    assert!(
        many.expect_err("there are four")
            .to_string()
            .contains("too many")
    );
    let same = secret(1).with_previous(secret(1));
    assert!(
        same.expect_err("it is one")
            .to_string()
            .contains("the same")
    );
}

/// There is one rule for both: those that a secret has come along with it.
#[test]
fn the_runtime_takes_a_secret_with_previous_ones() {
    let with = |current, previous| {
        let secret = secret(current).with_previous(secret(previous));
        secret.expect("they differ")
    };
    let build = |secret| Runtime::builder().secret(secret);
    assert!(
        build(with(1, 2))
            .previous_secret(with(3, 4))
            .build()
            .is_ok()
    );
    let many = build(with(1, 2)).previous_secret(with(3, 4));
    let many = many.previous_secret(secret(5)).build();
    assert!(
        many.expect_err("there are four")
            .to_string()
            .contains("too many")
    );
    let same = build(with(1, 2)).previous_secret(secret(2)).build();
    assert!(
        same.expect_err("it is one")
            .to_string()
            .contains("the same")
    );
    assert_eq!(format!("{:?}", with(1, 2)), "Secret(..)");
}
