//! One backend, as threads and as tasks see it.

use std::any::Any;
use std::sync::Arc;

use crate::backend::{AsyncBackend, Backend, BlockOn, Immediate, Memory, Unblock};

pub(super) struct Store {
    /// The embedded backend, where it is that.
    pub(super) memory: Option<Memory>,
    pub(super) blocking: Arc<dyn Backend>,
    pub(super) asynchronous: Arc<dyn AsyncBackend>,
}

impl Store {
    pub(super) fn blocking<B: Backend>(backend: B) -> Self {
        let memory = (&backend as &dyn Any).downcast_ref::<Memory>().cloned();
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let asynchronous = Arc::clone(&backend).async_twin();
        let asynchronous = asynchronous.unwrap_or_else(|| adapted(&backend));
        Self {
            memory,
            blocking: backend,
            asynchronous,
        }
    }

    pub(super) fn asynchronous(backend: Arc<dyn AsyncBackend>) -> Self {
        Self {
            memory: None,
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
