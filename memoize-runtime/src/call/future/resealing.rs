//! As [`resealing`](crate::call::resealing), awaited.

use super::{chunks, rotation};
use crate::backend::Deadline;
use crate::call::place::Place;
use crate::call::resealing::Resealing;

/// As [`Resealing::store`].
pub(in crate::call) async fn store(resealing: &mut Resealing, deadline: Deadline) -> bool {
    let sealed = resealing.take();
    let life = resealing.renewal.chunk_life();
    chunks::store_all(&resealing.request, &sealed, life, deadline).await
}

/// As [`Resealing::finish`].
pub(in crate::call) async fn finish(
    mut resealing: Resealing,
    place: &Place<'_>,
    deadline: Deadline,
) {
    if store(&mut resealing, deadline).await {
        let (request, lease) = (&resealing.request, resealing.lease);
        let renewed = rotation::renew(request, place, &resealing.renewal, lease, deadline);
        resealing.is_settled = renewed.await;
    }
}
