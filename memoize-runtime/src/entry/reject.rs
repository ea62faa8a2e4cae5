//! Why stored bytes were not used.

/// The reason why an entry is a miss.
///
/// A reason is for counters and logs, never for the caller of a memoized function: to that caller every
/// one of them is the same miss. The variants stand in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reject {
    /// Fewer bytes than the fixed parts of an entry take.
    Truncated,
    /// The magic bytes are another program's.
    NotAnEntry,
    /// Another version of the format.
    Version,
    /// A flag or codec that this version of the format does not have, or that this build cannot read.
    Flags,
    /// A plain entry where the code expects a sealed one. It has its own reason because it is what an
    /// attacker who has no secret would write.
    Downgrade,
    /// Sealed where the code expects a plain entry; or of the right fingerprint, but chunked or of a codec that don't go with it.
    Unexpected,
    /// Sealed under a secret that is not in the ring, or a key id on an entry that is not sealed.
    UnknownKey,
    /// Written for another type, or by another version of the function.
    Fingerprint,
    /// Past its expiration.
    Expired,
    /// Created later than our clock can explain.
    FromTheFuture,
    /// Lives longer than an entry of ours may.
    TooLongLived,
    /// The commitment or tag of a sealed entry does not match, or it is none, though it stands where one is: it was changed, cut, extended,
    /// stored under another key, or made without the secret.
    Tampered,
    /// The checksum does not match, or the fields contradict each other.
    Damaged,
    /// Chunks of it are missing.
    Incomplete,
    /// Intact bytes that are not a value of the expected type.
    Undecodable,
}

impl Reject {
    /// A name for logs and counters; it stays the same from release to release.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotAnEntry => "not_an_entry",
            Self::Version => "version",
            Self::Flags => "flags",
            Self::Downgrade => "downgraded",
            Self::Unexpected => "unexpected",
            Self::UnknownKey => "unknown_key",
            Self::Fingerprint => "wrong_type",
            Self::Expired => "expired",
            Self::FromTheFuture => "from_the_future",
            Self::TooLongLived => "too_long_lived",
            Self::Tampered => "tampered",
            Self::Damaged => "damaged",
            Self::Incomplete => "incomplete",
            Self::Undecodable => "undecodable",
        }
    }

    /// Whether no entry that was written with one of the secrets is ever refused for this.
    pub(crate) fn is_foul_play(self) -> bool {
        matches!(self, Self::Tampered | Self::Downgrade | Self::UnknownKey)
    }
}
