//! One guess by as many requests as carry the same credentials at the same time. It has failed if any of them has; it is taken
//! back when the last one has been answered and none of them says anything of the password.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

/// `R` is a reservation: dropped, it stays counted.
pub(super) struct Guess<R> {
    reservation: Mutex<Option<R>>,
    /// Somebody left without an answer: the password may have been looked at.
    in_doubt: AtomicBool,
}

pub(super) struct Share<R>(Option<Arc<Guess<R>>>);

impl<R> Share<R> {
    pub fn new(reservation: R) -> Self {
        let reservation = Mutex::new(Some(reservation));
        Self(Some(Arc::new(Guess { reservation, in_doubt: AtomicBool::new(false) })))
    }

    /// `None`: it is over.
    pub fn of(guess: &Weak<Guess<R>>) -> Option<Self> {
        let guess = guess.upgrade()?;
        let is_open = guess.reservation.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        // one that is over is left as it came
        is_open.then_some(Self(Some(guess)))
    }

    pub fn downgrade(&self) -> Weak<Guess<R>> {
        self.0.as_ref().map(Arc::downgrade).unwrap_or_default()
    }

    /// What the reservation says; `None`: another one has settled it.
    pub fn look<T>(&self, at: impl FnOnce(&R) -> T) -> Option<T> {
        let guess = self.0.as_ref()?;
        let reservation = guess.reservation.lock().unwrap_or_else(PoisonError::into_inner);
        reservation.as_ref().map(at)
    }

    /// The answer tells right from wrong: the reservation, unless another one has settled it.
    pub fn settle(mut self) -> Option<R> {
        let guess = self.0.take()?;
        let mut reservation = guess.reservation.lock().unwrap_or_else(PoisonError::into_inner);
        reservation.take()
    }

    /// The answer says nothing: the reservation to be taken back, where this was the last one.
    pub fn take_back(mut self) -> Option<R> {
        let guess = Arc::into_inner(self.0.take()?)?;
        let reservation = guess.reservation.into_inner().unwrap_or_else(PoisonError::into_inner);
        reservation.filter(|_| !guess.in_doubt.into_inner())
    }
}

impl<R> Drop for Share<R> {
    fn drop(&mut self) {
        if let Some(guess) = self.0.take() {
            guess.in_doubt.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> [Share<u8>; 3] {
        let one = Share::new(7);
        let guess = one.downgrade();
        [one, Share::of(&guess).unwrap(), Share::of(&guess).unwrap()]
    }

    #[test]
    fn what_says_nothing_is_taken_back_by_the_last_one() {
        let [one, two, three] = three();
        let guess = one.downgrade();
        assert_eq!([one.take_back(), two.take_back()], [None, None]);
        assert_eq!(three.take_back(), Some(7));
        assert!(Share::of(&guess).is_none());
    }

    /// Attack: the same guess at a page that anybody gets, held open beside the one that is checked.
    #[test]
    fn attack_a_wrong_password_is_not_taken_back_by_another_page() {
        let [public, checked, late] = three();
        let guess = public.downgrade();
        assert_eq!(checked.settle(), Some(7), "which has failed now");
        assert!(Share::of(&guess).is_none(), "and nobody joins it any more");
        assert_eq!([public.take_back(), late.settle()], [None, None]);
    }

    #[test]
    fn attack_who_hangs_up_on_the_portal_leaves_a_guess_behind() {
        let [gone, one, two] = three();
        drop(gone);
        assert_eq!([one.take_back(), two.take_back()], [None, None], "dropped, and so counted");
    }
}
