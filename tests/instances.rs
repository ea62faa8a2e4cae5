//! Instantiations of one generic function never read each other's entries, even with one key and one value type.

#![expect(
    clippy::unused_self,
    reason = "what is told apart is the type and not the value"
)]

use std::marker::PhantomData;

use cache_memoize::{Runtime, cache_memoize};

trait Table {
    const ROWS: u64;
}
struct Users;
impl Table for Users {
    const ROWS: u64 = 1;
}
struct Orders;
impl Table for Orders {
    const ROWS: u64 = 2;
}

fn fresh<T>(test: impl FnOnce() -> T) -> T {
    let runtime = Runtime::builder().build().expect("the defaults are valid");
    runtime.scope(test)
}

#[cache_memoize(key = "count")]
fn count<T: Table>() -> u64 {
    T::ROWS
}

#[test]
fn a_type_parameter() {
    fresh(|| {
        for _ in 0..2 {
            assert_eq!((count::<Users>(), count::<Orders>()), (1, 2));
        }
        // They share a key, so they evict each other; `<T>` keeps them apart.
        assert_eq!(count::key::<Users>(), count::key::<Orders>());
        assert_eq!(count::peek::<Users>(), None);
        assert_eq!(count::peek::<Orders>(), Some(2));
    });
}

#[cache_memoize(key = "count:<T>")]
fn count_apart<T: Table>() -> u64 {
    T::ROWS
}

#[test]
fn a_type_parameter_in_the_key() {
    fresh(|| {
        assert_eq!((count_apart::<Users>(), count_apart::<Orders>()), (1, 2));
        assert_ne!(count_apart::key::<Users>(), count_apart::key::<Orders>());
        assert_eq!(count_apart::peek::<Users>(), Some(1));
        assert_eq!(count_apart::peek::<Orders>(), Some(2));
    });
}

struct Repo<T>(PhantomData<T>);

impl<T: Table> Repo<T> {
    #[cache_memoize(key = "rows", skip(self))]
    pub(crate) fn rows(&self) -> u64 {
        T::ROWS
    }

    #[cache_memoize(skip(self))]
    pub(crate) fn rows_by_default_key(&self) -> u64 {
        T::ROWS
    }

    #[cache_memoize(key = "private", skip(self))]
    fn rows_privately(&self) -> u64 {
        T::ROWS
    }
}

#[test]
fn a_parameter_of_the_impl() {
    fresh(|| {
        let (users, orders) = (Repo::<Users>(PhantomData), Repo::<Orders>(PhantomData));
        for _ in 0..2 {
            assert_eq!((users.rows(), orders.rows()), (1, 2));
            assert_eq!(
                (users.rows_by_default_key(), orders.rows_by_default_key()),
                (1, 2)
            );
            assert_eq!((users.rows_privately(), orders.rows_privately()), (1, 2));
        }
        assert_ne!(
            Repo::<Users>::rows_by_default_key_key(),
            Repo::<Orders>::rows_by_default_key_key()
        );
    });
}

#[cache_memoize(key = "size")]
fn size<const N: u64>() -> u64 {
    N
}

#[cache_memoize(key = "size:<N>")]
fn size_apart<const N: u64>() -> u64 {
    N
}

#[test]
fn a_const_parameter() {
    fresh(|| {
        for _ in 0..2 {
            assert_eq!((size::<3>(), size::<4>()), (3, 4));
        }
        assert_eq!((size_apart::<3>(), size_apart::<4>()), (3, 4));
        assert_eq!(
            (size_apart::peek::<3>(), size_apart::peek::<4>()),
            (Some(3), Some(4))
        );
    });
}

trait Sized2 {
    fn number(&self) -> u64;

    #[cache_memoize(key = "double", skip(self))]
    fn double(&self) -> u64 {
        self.number() * 2
    }
}

impl Sized2 for Users {
    fn number(&self) -> u64 {
        10
    }
}

impl Sized2 for Orders {
    fn number(&self) -> u64 {
        20
    }
}

#[test]
fn a_default_method_of_a_trait() {
    fresh(|| {
        for _ in 0..2 {
            assert_eq!((Users.double(), Orders.double()), (20, 40));
        }
    });
}

#[cache_memoize(key = "marked")]
fn marked<T: Table>(_marker: PhantomData<T>) -> u64 {
    T::ROWS
}

#[test]
fn a_phantom_argument() {
    fresh(|| {
        for _ in 0..2 {
            assert_eq!(
                (marked(PhantomData::<Users>), marked(PhantomData::<Orders>)),
                (1, 2)
            );
        }
    });
}

struct Database {
    calls: std::cell::Cell<u64>,
}
trait Queries {
    fn query(&self) -> u64;
}
impl Queries for Database {
    fn query(&self) -> u64 {
        self.calls.set(self.calls.get() + 1);
        self.calls.get()
    }
}
struct Replica(Database);
impl Queries for Replica {
    fn query(&self) -> u64 {
        self.0.query()
    }
}

#[cache_memoize(key = "load:<id>", skip(db))]
fn load<D: Queries>(db: &D, id: u64) -> u64 {
    db.query() + id
}

#[cache_memoize(key = "load_dyn:<id>", skip(db))]
fn load_impl(db: &impl Queries, id: u64) -> u64 {
    db.query() + id
}

#[test]
fn parameters_of_skipped_arguments_do_not_count() {
    fresh(|| {
        let database = || Database { calls: 0.into() };
        let (one, other) = (database(), Replica(database()));
        assert_eq!(load(&one, 5), 6);
        assert_eq!(load(&other, 5), 6);
        assert_eq!(other.0.calls.get(), 0);
        assert_eq!(load::peek(5), Some(6));

        assert_eq!(load_impl(&one, 5), 7);
        assert_eq!(load_impl(&other, 5), 7);
        assert_eq!(other.0.calls.get(), 0);
    });
}

#[test]
fn functions_of_one_name_in_two_blocks_are_two() {
    fresh(|| {
        let one = {
            #[cache_memoize]
            fn inner(x: u64) -> u64 {
                x + 1
            }
            inner(1)
        };
        let two = {
            #[cache_memoize]
            fn inner(x: u64) -> u64 {
                x + 2
            }
            inner(1)
        };
        assert_eq!((one, two), (2, 3));
    });
}

mod first {
    pub(crate) struct Same;
    impl Same {
        #[cache_memoize::cache_memoize(skip(self))]
        pub(crate) fn get(&self, x: u64) -> u64 {
            x + 1
        }
    }
    pub(crate) struct Other;
    impl Other {
        #[cache_memoize::cache_memoize(skip(self))]
        pub(crate) fn get(&self, x: u64) -> u64 {
            x + 2
        }
    }
}

#[test]
fn methods_of_one_name_on_two_types_are_two() {
    fresh(|| {
        assert_eq!((first::Same.get(1), first::Other.get(1)), (2, 3));
        assert_eq!((first::Same.get(1), first::Other.get(1)), (2, 3));
        assert_ne!(first::Same::get_key(1), first::Other::get_key(1));
    });
}

#[cache_memoize(key = "char")]
fn of_char<const C: char, const N: u64>() -> u64 {
    N
}

#[test]
fn const_parameters_that_look_like_brackets() {
    fresh(|| {
        for _ in 0..2 {
            assert_eq!((of_char::<'>', 1>(), of_char::<'>', 2>()), (1, 2));
            assert_eq!((of_char::<'<', 3>(), of_char::<'<', 4>()), (3, 4));
            assert_eq!((of_char::<'\'', 5>(), of_char::<'\\', 6>()), (5, 6));
        }
    });
}

#[test]
fn types_of_one_name_in_two_blocks_are_two() {
    fresh(|| {
        for _ in 0..2 {
            let one = {
                struct Local;
                impl Table for Local {
                    const ROWS: u64 = 1;
                }
                count::<Local>()
            };
            let two = {
                struct Local;
                impl Table for Local {
                    const ROWS: u64 = 2;
                }
                count::<Local>()
            };
            assert_eq!((one, two), (1, 2));
        }
    });
}

struct Lazy<F>(F);

impl<F: Fn() -> u64> Lazy<F> {
    #[cache_memoize(key = "lazy", skip(self))]
    pub(crate) fn get(&self) -> u64 {
        (self.0)()
    }
}

#[test]
fn closures_as_parameters_run_uncached() {
    let runtime = Runtime::builder().build().expect("the defaults are valid");
    runtime.scope(|| {
        for _ in 0..2 {
            assert_eq!((Lazy(|| 1).get(), Lazy(|| 2).get()), (1, 2));
        }
    });
    assert_eq!((runtime.stats().bypassed, runtime.stats().stores), (4, 0));
}

/// The compiler places both functions where the macro is called, so that their default keys are one.
macro_rules! both {
    () => {{
        let first = {
            #[cache_memoize]
            fn twin(id: u64) -> u64 {
                id
            }
            (twin(1), twin::key(1))
        };
        let second = {
            #[cache_memoize]
            fn twin(id: u64) -> u64 {
                id + 1
            }
            (twin(1), twin::key(1))
        };
        (first, second)
    }};
}

#[test]
fn functions_of_one_default_key_do_not_read_each_other() {
    let ((first, first_key), (second, second_key)) = both!();
    assert_eq!(first_key, second_key, "else this shows nothing");
    assert_eq!((first, second), (1, 2));
}
