// How the threads of a computing program wait for each other. Only the programs' mains call this.
#pragma once

namespace xrai {

/// OpenMP's threads spin for milliseconds at the end of a parallel region before they sleep, and libgomp takes another
/// wish only from the environment it is loaded with. So the program starts itself once more with GOMP_SPINCOUNT=1000,
/// unless the user has set that or OMP_WAIT_POLICY. On a machine that others use too, each wait would last as long as
/// the thread waited for is off its core. plain5, 96 px, batch 32, two cores, images/s: libgomp's default 30 to 78 with
/// two busy neighbours and 960 alone; a thousand spins 266 and 904; sleeping at once 260 to 350 and 820.
/// To be called first in main; costs what the loader takes, about ten milliseconds, and nothing for --help and the
/// like.
void let_waiting_threads_sleep(char** argv);

}  // namespace xrai
