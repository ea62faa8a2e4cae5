//! As much as `progress` knows of the rest of the library.

pub(crate) mod backend {
    pub(crate) use bytes::Bytes;

    #[derive(Clone, Copy)]
    pub(crate) struct Lease(pub(crate) u64);
}
pub(crate) mod call {
    #[derive(Clone, Copy)]
    pub(crate) enum Caller {
        Thread,
        Task,
    }
}
pub(crate) mod entry {
    pub(crate) mod chunk {
        #[derive(Clone)]
        pub(crate) struct Origin {
            pub(crate) header: Header,
            pub(crate) generation: usize,
            pub(crate) chunk_len: u32,
        }

        #[derive(Clone)]
        pub(crate) struct Header {
            pub(crate) fingerprint: u64,
            pub(crate) expires_ms: u64,
        }

        impl Origin {
            pub(crate) fn of(fingerprint: u64, expires_ms: u64, chunk_len: usize) -> Self {
                Self {
                    header: Header {
                        fingerprint,
                        expires_ms,
                    },
                    generation: 0,
                    chunk_len: u32::try_from(chunk_len).expect("it is short"),
                }
            }
        }
    }
}
pub(crate) mod hidden {
    #[derive(Debug, PartialEq)]
    pub(crate) struct Hidden<T>(pub(crate) T);
}
