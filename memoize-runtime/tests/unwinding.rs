//! What users hold may be held across a `catch_unwind`: a panic leaves it as it was.

use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

use cache_memoize::{CacheKey, ConfigError, Memo, Memory, Runtime, Secret, SharingErrors, Stats};

const fn is_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

const _: () = {
    is_unwind_safe::<Runtime>();
    is_unwind_safe::<Memo>();
    is_unwind_safe::<SharingErrors>();
    is_unwind_safe::<Memory>();
    is_unwind_safe::<Secret>();
    is_unwind_safe::<CacheKey>();
    is_unwind_safe::<ConfigError>();
    is_unwind_safe::<Stats>();
};

#[test]
fn a_runtime_goes_on_after_a_panic() {
    let memory = Memory::new(1 << 20);
    let builder = Runtime::builder().backend(memory.clone());
    let runtime = builder.build().expect("valid settings");
    let call = |body: fn() -> u8| {
        let memo = runtime.scope(|| Memo::new("key"));
        catch_unwind(|| runtime.scope(|| memo.get_or_compute(body)))
    };
    call(|| panic!("the function's own")).expect_err("its panic");
    assert_eq!(call(|| 1).ok(), Some(1));
    assert_eq!(call(|| 2).ok(), Some(1), "it was stored");
    assert_eq!((memory.len(), runtime.stats().computations), (1, 1));
}
