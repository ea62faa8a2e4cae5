//! As [`resealing`](crate::call::resealing), awaited.

use super::{chunks, rotation};
use crate::backend::Deadline;
use crate::call::place::Place;
use crate::call::resealing::Resealing;

/// As [`Resealing::store`].
pub(super) async fn store(resealing: &mut Resealing, deadline: Deadline) -> bool {
    let sealed = resealing.resealer.take();
    let life = resealing
        .renewal
        .chunk_life(resealing.request.runtime.now_ms());
    !deadline.has_passed() && chunks::store_all(&resealing.request, &sealed, life, deadline).await
}

/// As [`Resealing::finish`].
pub(in crate::call) async fn finish(
    mut resealing: Resealing,
    place: &Place<'_>,
    deadline: Deadline,
) {
    let Resealing {
        request,
        renewal,
        resealer,
        lease: Some(lease),
        ..
    } = &resealing
    else {
        return;
    };
    let renewed = rotation::renew(request, place, renewal, Some(resealer), *lease, deadline);
    resealing.is_settled = renewed.await;
}
