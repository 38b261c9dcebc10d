// What the program knows about the screen it writes to. Nothing is drawn here.
#pragma once

namespace xrai {

/// True when standard error is a terminal that can redraw a line (TERM is set and is not "dumb").
bool error_stream_redraws();
/// True when colours are welcome on standard error: it redraws, and NO_COLOR is unset or empty (no-color.org).
bool error_stream_has_colour();
/// Columns of the terminal behind standard error; 80 where nobody says.
int terminal_columns();

}  // namespace xrai
