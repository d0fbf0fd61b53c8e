import { type Differ, plainDifference } from '@ambit/review';

/** What differs between two boundaries, as owners are shown it and reviews are judged by. */
export const differ: Differ = plainDifference;
