/** Which user a container runs as, and whether that is allowed. */
import type { ContainerSecurityContext, Image } from '#cri/types.ts';
import type { AgentPod, SecurityContext } from '#lib/kube/types.ts';
import { ContainerConfigError } from './config-error.ts';

/** The largest user ID that no runtime reads as something else (2³¹−1). */
const MAX_UID = 0x7fffffff;

/** An image without a user runs as root: so said in numbers that nobody need guess. */
const imageUid = (image: Image): number | undefined => image.uid ?? (image.username === '' ? 0 : undefined);

/**
 * Refuses what would run as root, or might, under runAsNonRoot; looked at afresh for every container. The texts are
 * upstream's, with what to mend.
 */
export function verifyNonRoot(
  context: Pick<SecurityContext, 'runAsNonRoot' | 'runAsUser'>,
  image: Image,
  pod: AgentPod,
  container: string,
): void {
  if (context.runAsNonRoot !== true) return;
  const { name, namespace, uid: podUid } = pod.metadata;
  const where = `(pod: "${name}_${namespace}(${podUid})", container: ${container})`;
  const refuse = (why: string, mend: string): never => {
    throw new ContainerConfigError(`${why} ${where}: ${mend}`);
  };
  if (context.runAsUser !== undefined) {
    if (context.runAsUser === 0) {
      refuse("container's runAsUser breaks non-root policy", 'set another runAsUser than 0');
    }
    return;
  }
  const uid = imageUid(image);
  if (uid === undefined) {
    refuse(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
      'set runAsUser',
    );
  } else if (uid === 0) {
    refuse(
      'container has runAsNonRoot and image will run as root',
      'set runAsUser, or use an image with a numeric USER',
    );
  } else if (uid < 0 || uid > MAX_UID) {
    refuse(
      `container has runAsNonRoot and image has an invalid user id (${uid}). (Must be 1-(${MAX_UID}))`,
      'set runAsUser',
    );
  }
}

type User = Pick<ContainerSecurityContext, 'runAsUser' | 'runAsGroup' | 'runAsUsername'>;

/** The user in CRI's terms: the one asked for, or the image's. */
export function runAs(context: Pick<SecurityContext, 'runAsUser' | 'runAsGroup'>, image: Image): User {
  const group = context.runAsGroup === undefined ? {} : { runAsGroup: context.runAsGroup };
  const uid = context.runAsUser ?? imageUid(image);
  return uid === undefined ? { runAsUsername: image.username, ...group } : { runAsUser: uid, ...group };
}
