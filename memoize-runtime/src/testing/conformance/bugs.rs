//! What can be wrong with a backend, and what is to be told of it.

use super::deadlines::QUESTIONS;

/// The method that is broken, or the `others` of `get_many_or_lease`.
pub(super) type By = &'static str;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    ShortKeys,
    SmallValues,
    ChangingLimits,
    NeverExpires(By),
    FindsExpired(By),
    FirstLifeCounts(By),
    LongestLifeCounts(By),
    CutsLives(By),
    Counts32Bits(By),
    FindsWhatIsNotThere(By),
    LosesWrites(By),
    ReadsOnce(By),
    KeepsTheFirst(By),
    EmptyIsAbsent(By),
    EndsAtNewline(By),
    CutsLargeValues(By),
    RefusesLargeValues(By),
    CutsLargeAnswers(By),
    Remembers(By),
    FindsRemoved(By),
    ReadsInAnyCase(By),
    IgnoresCase,
    CutsKeys,
    TrimsKeys,
    DeletesNothing(By),
    DeletesByPrefix(By),
    DeletesInAnyCase(By),
    DeletingNothingFails(By),
    SortsMany(By),
    SkipsAbsent(By),
    OnceEach(By),
    CutsMany(By),
    SwapsParts(By),
    SetManyKeepsTwo,
    FirstOfTwoStays,
    FirstHasTheLife,
    DeleteManyStopsEarly,
    GoesOn(By),
    LateAnswers(By),
    LookupIgnoresEntries(By),
    BusyOverEntry(By),
    OthersAreForgotten,
    OthersAreLeased,
    OthersAreInTheWay,
    GrantsAlways(By),
    GrantsNever(By),
    ExpiredIsBusy(By),
    OneLeaseForAll,
    LeasesIgnoreCase,
    LeasesCutKeys,
    SameToken,
    TokensStartOver,
    HalfTokens,
    TokensLoseABit,
    LeaseInThePlace(By),
    FillStoresNothing,
    FillLies,
    FillSaysYes,
    FillsTwice,
    FillsWithAnyToken,
    FillsUnconditionally,
    WrongFillEnds,
    LeavesLease(By),
    LeavesLeaseOverEntry(By),
    LeavesLeaseThatRanOut(By),
    VoidsTheFirst(By),
    VoidsAll(By),
    VoidIsBusy,
    ReadingEndsLease(By),
    FindingReplacesLease(By),
    ReleaseDoesNothing,
    ReleasesAll,
    ReleaseRemoves,
    CheckThenRelease,
    LeaseHandsOutTheSame,
    LeaseIsNotHeld(By),
    GrantsAnotherToken(By),
    ReplacedCanBeFilled(By),
    LeaseRemoves,
    LeaseNeverRunsOut(By),
    CutsLeases(By),
    RunOutCannotBeFilled(By),
    Unconditional(By),
    CheckThenStore,
    VoidsLater(By),
    LookThenGrant(By),
    LooksBefore(By),
    OthersBefore,
    MixesCallers(By),
}

/// What each is told by.
pub(super) const BUGS: &[(Bug, &str)] = {
    use Bug::*;
    &[
        (ShortKeys, "take longer keys"),
        (SmallValues, "take larger values"),
        (ChangingLimits, "`limits` answers differently"),
        (IgnoresCase, "two keys are taken for one"),
        (CutsKeys, "two keys are taken for one"),
        (TrimsKeys, "two keys are taken for one"),
        (SetManyKeepsTwo, "`set_many` stored with others"),
        (
            FirstHasTheLife,
            "remove it by the `life` that `set_many` was given",
        ),
        (FirstOfTwoStays, "the last of two values for one key"),
        (DeleteManyStopsEarly, "exactly the keys it was given"),
        (OthersAreForgotten, "of others doesn't give one answer"),
        (OthersAreInTheWay, "whatever the others are"),
        (OthersAreLeased, "a lease of one of the others"),
        (OneLeaseForAll, "whoever holds those of others"),
        (LeasesIgnoreCase, "of one key is in the way of another"),
        (LeasesCutKeys, "of one key is in the way of another"),
        (SameToken, "two leases have one token"),
        (TokensStartOver, "a token that this key never had"),
        (HalfTokens, "compare all 64 bits"),
        (TokensLoseABit, "compare all 64 bits"),
        (FillStoresNothing, "doesn't find what `fill` stored"),
        (FillSaysYes, "says otherwise than it did"),
        (FillLies, "`fill` with the lease that stands stores nothing"),
        (FillsTwice, "a lease fills twice"),
        (FillsWithAnyToken, "granted for another key"),
        (FillsUnconditionally, "granted for another key, or never"),
        (WrongFillEnds, "only its own ends it"),
        (VoidIsBusy, "grants nothing"),
        (ReleaseDoesNothing, "after `release`"),
        (ReleasesAll, "only its own ends it"),
        (CheckThenRelease, "at the same time as a `lease`"),
        (ReleaseRemoves, "`release` removes the entry"),
        (LeaseHandsOutTheSame, "a new one in its place"),
        (LeaseRemoves, "`lease` removes the entry"),
        (CheckThenStore, "check the lease and store in one step"),
        (OthersBefore, "finds others as they were before a removal"),
    ]
};

/// The bug of a method.
type OfMethod = fn(By) -> Bug;

/// The same of those that may be wrong with several methods; where the text names the method, there is a `{}`.
pub(super) const BUGS_OF_METHODS: &[(OfMethod, &[By], &str)] = {
    use Bug::*;
    const READS: &[By] = &[
        "get",
        "get_many",
        "get_or_lease",
        "get_many_or_lease",
        "others",
    ];
    const LOOKUPS: &[By] = &["get_or_lease", "get_many_or_lease"];
    const GRANTS: &[By] = &["get_or_lease", "get_many_or_lease", "lease"];
    const WRITES: &[By] = &["set", "set_many", "fill"];
    const REMOVALS: &[By] = &["delete", "delete_many"];
    const CHANGES: &[By] = &["set", "set_many", "delete", "delete_many"];
    &[
        (
            NeverExpires,
            WRITES,
            "remove it by the `life` that {} was given",
        ),
        (FindsExpired, READS, "{} finds an entry long after its life"),
        (
            FirstLifeCounts,
            WRITES,
            "before its life is over; keep it for the `life` that the last {} was",
        ),
        (
            LongestLifeCounts,
            WRITES,
            "an entry that {} replaced by one with a shorter life",
        ),
        (
            CutsLives,
            WRITES,
            "before its life is over; keep it for the `life` that the last {} was",
        ),
        (
            Counts32Bits,
            WRITES,
            "before its life is over; keep it for the `life` that the last {} was",
        ),
        (
            FindsWhatIsNotThere,
            READS,
            "{} finds something under a key that was never set",
        ),
        (LosesWrites, WRITES, "`get` doesn't find what {} stored"),
        (ReadsOnce, READS, "don't remove what is read"),
        (
            KeepsTheFirst,
            WRITES,
            "doesn't find what the last {} stored; a write replaces",
        ),
        (
            EmptyIsAbsent,
            READS,
            "{} doesn't find what the last `set` stored",
        ),
        (Remembers, READS, "{} doesn't find what the last"),
        (
            EndsAtNewline,
            WRITES,
            "what {} stored comes back otherwise by `get`",
        ),
        (
            CutsLargeValues,
            WRITES,
            "what {} stored comes back otherwise by `get`",
        ),
        (
            CutsLargeAnswers,
            READS,
            "comes back otherwise by {}; any bytes",
        ),
        (RefusesLargeValues, WRITES, "{} failed"),
        (
            DeletesNothing,
            &["delete"],
            "{} removes it before it answers",
        ),
        (
            DeletesNothing,
            &["delete_many"],
            "exactly the keys it was given",
        ),
        (
            DeletesByPrefix,
            REMOVALS,
            "{} removes what is under another key",
        ),
        (DeletesInAnyCase, REMOVALS, "{} takes two keys for one"),
        (DeletingNothingFails, REMOVALS, "{} failed"),
        (
            SkipsAbsent,
            &["get_many", "others"],
            "{} doesn't give one answer for one key",
        ),
        (
            SortsMany,
            &["get_many"],
            "{} doesn't answer each key in its place",
        ),
        (
            SortsMany,
            &["others"],
            "doesn't answer each of the others in its place",
        ),
        (
            OnceEach,
            &["get_many"],
            "{} doesn't answer each key in its place",
        ),
        (
            OnceEach,
            &["others"],
            "doesn't answer each of the others in its place",
        ),
        (
            CutsMany,
            &["get_many", "set_many", "delete_many"],
            "{} of 500",
        ),
        (CutsMany, &["others"], "of 500 others"),
        (
            SwapsParts,
            &["get_many"],
            "{} of 500 keys doesn't give 500 answers in their order",
        ),
        (
            SwapsParts,
            &["others"],
            "of 500 others doesn't give 500 answers in their order",
        ),
        (GoesOn, &QUESTIONS, "{} goes on after its deadline"),
        (
            LateAnswers,
            &QUESTIONS,
            "after a {} whose deadline had passed",
        ),
        (
            LookupIgnoresEntries,
            LOOKUPS,
            "{} doesn't find what `set` stored",
        ),
        (
            GrantsAlways,
            LOOKUPS,
            "{} grants a lease beside one that `get_or_lease` granted",
        ),
        (
            LeaseInThePlace,
            READS,
            "{} finds something under a key that is only leased",
        ),
        (
            ExpiredIsBusy,
            LOOKUPS,
            "{} grants nothing where the life of an entry is over",
        ),
        (
            GrantsNever,
            LOOKUPS,
            "{} grants nothing where there is no entry",
        ),
        (Unconditional, LOOKUPS, "together, or none"),
        (
            Unconditional,
            &["lease"],
            "`fill` with the lease that stands stores nothing",
        ),
        (
            GrantsAnotherToken,
            &["get_many_or_lease"],
            "`fill` with the lease that stands stores nothing",
        ),
        (
            ReplacedCanBeFilled,
            &["get_or_lease"],
            "after another was granted in its place",
        ),
        (
            ReplacedCanBeFilled,
            &["lease"],
            "after {} granted another in its place",
        ),
        (
            FindsRemoved,
            &["get_many", "get_or_lease", "get_many_or_lease", "others"],
            "{} finds what `delete` removed",
        ),
        (
            ReadsInAnyCase,
            &["get", "get_many"],
            "two keys are taken for one",
        ),
        (LeaseIsNotHeld, LOOKUPS, "beside one that {} granted"),
        (
            LeaseIsNotHeld,
            &["lease"],
            "`fill` with the lease that stands stores nothing",
        ),
        (
            BusyOverEntry,
            LOOKUPS,
            "{} doesn't find an entry whose key is leased",
        ),
        // By the first rule that this is too short for, which on a busy machine is an earlier one.
        (CutsLeases, GRANTS, "answer `Busy`"),
        (
            LeaseNeverRunsOut,
            GRANTS,
            "after the life of a lease that {} granted",
        ),
        (RunOutCannotBeFilled, GRANTS, "a lease by {} that ran out"),
        // A lookup that does is told to grant beside it.
        (
            ReadingEndsLease,
            &["get", "get_many", "others"],
            "{} ends the lease of another",
        ),
        (
            FindingReplacesLease,
            LOOKUPS,
            "{} ends the lease of another",
        ),
        (
            LeavesLease,
            CHANGES,
            "after {} of its key where nothing is under the key",
        ),
        (
            LeavesLeaseOverEntry,
            CHANGES,
            "after {} of its key where there is an entry",
        ),
        (
            LeavesLeaseThatRanOut,
            CHANGES,
            "after {} of its key where the lease ran out",
        ),
        (
            VoidsTheFirst,
            &["set_many", "delete_many"],
            "after {} of its key where nothing is under the key",
        ),
        (VoidsAll, CHANGES, "by what is done with another"),
        (VoidsLater, CHANGES, "end the lease in one step with the {}"),
        (
            LookThenGrant,
            LOOKUPS,
            "not exactly one is granted the lease",
        ),
        (LooksBefore, LOOKUPS, "{} at the same time as a `fill`"),
        (
            MixesCallers,
            &["get", "get_many", "get_or_lease", "get_many_or_lease"],
            "callers that ask at one time get each other's answers",
        ),
    ]
};
