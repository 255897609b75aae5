/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LINK_H
#define ENGINE_LINK_H

#include <stddef.h>
#include <stdint.h>

/* The two links of logistic regression, for LINK_BLOCK rows at a time: what is between the two
 * matrix products of a block. The plain loops, link_…_reference, say what the fast ones mean. */
enum { LINK_BLOCK = 256 };

/* z: scores. y: 0 or 1. r gets sigmoid(z) - y. Returns the sum of the log losses. n <= LINK_BLOCK;
 * all three have room for LINK_BLOCK, and what lies past n is overwritten. */
double link_binary(double *z, double *y, double *r, size_t n);
double link_binary_reference(const double *z, const double *y, double *r, size_t n);

/* z: scores (classes, LINK_BLOCK), one row a class; becomes softmax(z) - onehot(y). y: classes. */
double link_softmax(double *z, const uint32_t *y, size_t n, size_t classes);
double link_softmax_reference(double *z, const uint32_t *y, size_t n, size_t classes);

/* exp for x <= 0 to about one unit in the last place; below -708 it is exp(-708). */
double link_exp(double x);

#endif
