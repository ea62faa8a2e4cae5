//! One backend, as threads and as tasks see it.

use std::sync::Arc;

use crate::backend::{AsyncBackend, Backend, BlockOn, Immediate, Unblock};

pub(super) struct Store {
    pub(super) blocking: Arc<dyn Backend>,
    pub(super) asynchronous: Arc<dyn AsyncBackend>,
}

impl Store {
    pub(super) fn blocking(backend: Arc<dyn Backend>) -> Self {
        let asynchronous = Arc::clone(&backend).async_twin();
        let asynchronous = asynchronous.unwrap_or_else(|| adapted(&backend));
        Self {
            blocking: backend,
            asynchronous,
        }
    }

    pub(super) fn asynchronous(backend: Arc<dyn AsyncBackend>) -> Self {
        Self {
            blocking: Arc::new(BlockOn::shared(Arc::clone(&backend))),
            asynchronous: backend,
        }
    }
}

fn adapted(backend: &Arc<dyn Backend>) -> Arc<dyn AsyncBackend> {
    let backend = Arc::clone(backend);
    if backend.limits().blocking {
        Arc::new(Unblock::shared(backend))
    } else {
        Arc::new(Immediate::new(backend))
    }
}
