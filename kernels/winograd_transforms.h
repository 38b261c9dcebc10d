// The small linear maps of kernels/winograd.cpp: polynomials of degree 5 are written by their values at 0, a, -a, b, -b
// and their leading coefficient, where a product of polynomials is a product of numbers (Toom and Cook). a and b are
// short binary fractions, and smaller than the usual 1 and 2: the maps' numbers then lie closer together and cost fewer
// digits. No loops over pictures here.
#pragma once

#include "kernels/lanes.h"

namespace xrai::kernels {

constexpr int kWinogradPoints = 6, kWinogradTile = 4;
constexpr int kWinogradFrequencies = kWinogradPoints * kWinogradPoints;

namespace winograd {

constexpr float a = 0.625f, b = 1.5f, a2 = a * a, b2 = b * b;
// 1 / product over the other points of their distance.
constexpr float share0 = 1 / (a2 * b2), share_a = 1 / (2 * a2 * (a2 - b2)), share_b = 1 / (2 * b2 * (b2 - a2));

// Each map reads a line and writes a line; `in` and `out` step through a matrix, so that it serves rows and columns.

/// Six values of x.
template <class V>
XRAI_INLINE void values_line(const V* in, int in_step, V* out, int out_step) {
  const V d0 = in[0], d1 = in[in_step], d2 = in[2 * in_step], d3 = in[3 * in_step], d4 = in[4 * in_step],
          d5 = in[5 * in_step];
  const V even_a = d4 - b2 * d2, odd_a = a * (d3 - b2 * d1), even_b = d4 - a2 * d2, odd_b = b * (d3 - a2 * d1);
  out[0] = (a2 * b2) * d0 - (a2 + b2) * d2 + d4;
  out[out_step] = even_a + odd_a;
  out[2 * out_step] = even_a - odd_a;
  out[3 * out_step] = even_b + odd_b;
  out[4 * out_step] = even_b - odd_b;
  out[5 * out_step] = (a2 * b2) * d1 - (a2 + b2) * d3 + d5;
}

/// Three weights.
template <class V>
XRAI_INLINE void weights_line(const V* in, int in_step, V* out, int out_step) {
  const V w0 = in[0], w1 = in[in_step], w2 = in[2 * in_step];
  const V even_a = share_a * (w0 + a2 * w2), odd_a = (share_a * a) * w1;
  const V even_b = share_b * (w0 + b2 * w2), odd_b = (share_b * b) * w1;
  out[0] = share0 * w0;
  out[out_step] = even_a + odd_a;
  out[2 * out_step] = even_a - odd_a;
  out[3 * out_step] = even_b + odd_b;
  out[4 * out_step] = even_b - odd_b;
  out[5 * out_step] = w2;
}

/// Its transpose: the gradient of three weights.
template <class V>
XRAI_INLINE void weight_gradients_line(const V* in, int in_step, V* out, int out_step) {
  const V sum_a = share_a * (in[in_step] + in[2 * in_step]), odd_a = share_a * (in[in_step] - in[2 * in_step]);
  const V sum_b = share_b * (in[3 * in_step] + in[4 * in_step]), odd_b = share_b * (in[3 * in_step] - in[4 * in_step]);
  out[0] = share0 * in[0] + sum_a + sum_b;
  out[out_step] = a * odd_a + b * odd_b;
  out[2 * out_step] = a2 * sum_a + b2 * sum_b + in[5 * in_step];
}

/// Four results.
template <class V>
XRAI_INLINE void results_line(const V* in, int in_step, V* out, int out_step) {
  const V sum_a = in[in_step] + in[2 * in_step], odd_a = in[in_step] - in[2 * in_step];
  const V sum_b = in[3 * in_step] + in[4 * in_step], odd_b = in[3 * in_step] - in[4 * in_step];
  out[0] = in[0] + sum_a + sum_b;
  out[out_step] = a * odd_a + b * odd_b;
  out[2 * out_step] = a2 * sum_a + b2 * sum_b;
  out[3 * out_step] = (a2 * a) * odd_a + (b2 * b) * odd_b + in[5 * in_step];
}

/// Its transpose: the gradients of four results.
template <class V>
XRAI_INLINE void result_gradients_line(const V* in, int in_step, V* out, int out_step) {
  const V g0 = in[0], g1 = in[in_step], g2 = in[2 * in_step], g3 = in[3 * in_step];
  const V even_a = g0 + a2 * g2, odd_a = a * g1 + (a2 * a) * g3;
  const V even_b = g0 + b2 * g2, odd_b = b * g1 + (b2 * b) * g3;
  out[0] = g0;
  out[out_step] = even_a + odd_a;
  out[2 * out_step] = even_a - odd_a;
  out[3 * out_step] = even_b + odd_b;
  out[4 * out_step] = even_b - odd_b;
  out[5 * out_step] = g3;
}

}  // namespace winograd
}  // namespace xrai::kernels
