/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's MESSAGE_ID of each kind of record. Never changed, never used
 * again for something else: people filter by them. */
#ifndef OUT_MESSAGE_IDS_H
#define OUT_MESSAGE_IDS_H

#define MESSAGE_ID_DECISION "ba21fb45e7d34a96a0c3bb25477bfffe"
#define MESSAGE_ID_OUTCOME  "d3ca71ae0c76441dbbd9d81556582efb"
#define MESSAGE_ID_EFFECT   "36e81b5d586848ac9645acf6aef7ea76"
#define MESSAGE_ID_CAUSE    "07eb5f6b34bd4759b0b7f0c7207bdf6d"
#define MESSAGE_ID_NODE     "699c6a171fbf4f09b44a58334a05413b"
#define MESSAGE_ID_PEER     "74518062a56c4d338340f40513475f15"
#define MESSAGE_ID_UPLINK   "3542803609a44d309b098869feda4f50"
#define MESSAGE_ID_NOTICE   "f586e0420dab4a798f6d5e63bf0d74f0"

#endif
