//! What was computed too late to be stored: the key was invalidated meanwhile, or filled by one that began later. With leases and without.

use std::thread;
use std::time::Duration;

use cache_memoize::testing::flights;
use cache_memoize::{Memo, Memory, Runtime};

use super::{Gate, Plain, build, fresh, plain};

#[test]
fn an_invalidation_during_a_computation_wins() {
    for runtime in [fresh(), plain()] {
        for prime in [false, true] {
            let gate = Gate::new();
            thread::scope(|scope| {
                let old = scope.spawn(|| {
                    runtime.scope(|| {
                        Memo::new("changed").get_or_compute(|| {
                            gate.pass();
                            "old".to_owned()
                        })
                    })
                });
                gate.begin.wait();
                runtime.scope(|| {
                    assert!(Memo::new("changed").invalidate());
                    if prime {
                        // It does not wait for what it must not see.
                        let new = || "new".to_owned();
                        assert_eq!(Memo::new("changed").get_or_compute(new), "new");
                    }
                });
                gate.end.wait();
                assert_eq!(old.join().expect("no panic"), "old");
            });
            let newer = || "newer".to_owned();
            let now = runtime.scope(|| Memo::new("changed").get_or_compute(newer));
            assert_eq!(now, if prime { "new" } else { "newer" });
            assert!(runtime.stats().outdated > 0);
            runtime.scope(|| Memo::new("changed").invalidate());
        }
        assert_eq!(flights(&runtime), 0);
    }
}

#[test]
fn an_invalidation_wins_over_a_refresh_beside_a_leader() {
    for awaited in [false, true] {
        for runtime in [fresh(), plain()] {
            let (leads, refreshes) = (Gate::new(), Gate::new());
            let old = |overwrite: bool, gate: &Gate| {
                let memo = || Memo::new("changed").force_overwrite(overwrite);
                let compute = || {
                    gate.pass();
                    "old".to_owned()
                };
                if awaited {
                    let call = async { memo().get_or_compute_async(|| async { compute() }).await };
                    smol::block_on(runtime.scope_async(call))
                } else {
                    runtime.scope(|| memo().get_or_compute(compute))
                }
            };
            thread::scope(|scope| {
                scope.spawn(|| old(false, &leads));
                leads.begin.wait();
                scope.spawn(|| old(true, &refreshes));
                refreshes.begin.wait();
                assert!(runtime.scope(|| Memo::new("changed").invalidate()));
                leads.end.wait();
                refreshes.end.wait();
            });
            let newer = || "newer".to_owned();
            let now = runtime.scope(|| Memo::new("changed").get_or_compute(newer));
            assert_eq!(now, "newer", "awaited: {awaited}");
            assert_eq!(runtime.stats().outdated, 2);
            assert_eq!(flights(&runtime), 0);
        }
    }
}

#[test]
fn an_invalidation_wins_over_an_iterator_that_began_before() {
    let runtime = fresh();
    runtime.scope(|| {
        let rows = |first: u8| Memo::new("rows").iter(move || first..first + 3);
        let mut old = rows(0);
        assert_eq!(old.next(), Some(0));
        assert!(Memo::new("rows").invalidate());
        assert_eq!(old.count(), 2);
        assert_eq!(rows(10).collect::<Vec<_>>(), [10, 11, 12]);
        assert_eq!(rows(20).collect::<Vec<_>>(), [10, 11, 12]);
    });
    assert_eq!(runtime.stats().outdated, 1);
}

#[test]
fn a_refresh_overtakes_what_began_before() {
    for refreshes in [false, true] {
        for runtime in [fresh(), plain()] {
            let gate = Gate::new();
            let call = |overwrite, compute: &dyn Fn() -> u8| {
                runtime.scope(|| {
                    let memo = Memo::new("k").force_overwrite(overwrite);
                    memo.get_or_compute(compute)
                })
            };
            thread::scope(|scope| {
                let old = scope.spawn(|| {
                    call(refreshes, &|| {
                        gate.pass();
                        1
                    })
                });
                gate.begin.wait();
                assert_eq!(call(true, &|| 2), 2);
                gate.end.wait();
                assert_eq!(old.join().expect("no panic"), 1);
            });
            assert_eq!(call(false, &|| 3), 2, "refreshes: {refreshes}");
            assert_eq!(flights(&runtime), 0);
        }
    }
}

#[test]
fn an_invalidation_wins_over_a_leader_that_was_relieved() {
    let memo = || Memo::new("changed");
    for fails in [false, true] {
        for settings in [
            Runtime::builder(),
            Runtime::builder().backend(Plain(Memory::new(1 << 20))),
        ] {
            let runtime = build(settings.longest_wait(Duration::from_millis(20)));
            let gate = &Gate::new();
            thread::scope(|scope| {
                let old = scope.spawn(|| {
                    runtime.scope(|| {
                        memo().get_or_compute(|| {
                            gate.pass();
                            "old".to_owned()
                        })
                    })
                });
                gate.begin.wait();
                let compute = || if fails { Err(()) } else { Ok("old".to_owned()) };
                let relieved = runtime.scope(|| memo().try_get_or_compute(compute));
                assert_eq!(relieved.is_err(), fails);
                assert!(runtime.scope(|| memo().invalidate()));
                gate.end.wait();
                assert_eq!(old.join().expect("no panic"), "old");
            });
            let now = runtime.scope(|| memo().get_or_compute(|| "new".to_owned()));
            assert_eq!(now, "new", "fails: {fails}");
            assert_eq!(flights(&runtime), 0);
        }
    }
}
