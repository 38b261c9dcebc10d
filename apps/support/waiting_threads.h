// How the threads of a computing program wait for each other. Only the programs' mains call this.
#pragma once

namespace xrai {

/// OpenMP's threads spin for milliseconds at the end of a parallel region before they sleep, and libgomp takes another
/// wish only from the environment it is loaded with. So the program starts itself once more with
/// OMP_WAIT_POLICY=passive, unless the user has set that or GOMP_SPINCOUNT. On a machine that others use too each wait
/// would last as long as the thread waited for is off its core: with two busy neighbours on two cores plain5 trained at
/// 67 images/s spinning and at 260 to 300 sleeping. To be called first in main; costs a few milliseconds.
void let_waiting_threads_sleep(char** argv);

}  // namespace xrai
