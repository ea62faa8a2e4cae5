//! As [`resealing`](crate::call::resealing), awaited.

use super::ask::ask;
use super::{chunks, rotation};
use crate::backend::Deadline;
use crate::call::place::Place;
use crate::call::resealing::Resealing;

/// As [`Resealing::finish`].
pub(super) async fn finish(mut resealing: Resealing, place: &Place<'_>, deadline: Deadline) {
    if store(&mut resealing, deadline).await {
        let (request, lease) = (&resealing.request, resealing.lease);
        let renewed = rotation::renew(request, place, &resealing.renewal, lease, deadline);
        resealing.is_settled = renewed.await;
    }
    if !resealing.is_settled
        && let Some(resealer) = &resealing.renewal.resealer
    {
        chunks::remove(&resealing.request, resealer.names(), deadline).await;
    }
}

/// As [`Resealing::store`].
async fn store(resealing: &mut Resealing, deadline: Deadline) -> bool {
    let (chunks, life) = resealing.take();
    for (name, bytes) in chunks {
        let stored = ask(&resealing.request, "set chunk", deadline, |backend| {
            backend.set(name.as_str(), bytes, life, deadline)
        });
        if stored.await.is_err() {
            return false;
        }
    }
    true
}
