/**
 * The fields of a Pod and of everything in it, of a ConfigMap and of a Secret, as the API of Kubernetes 1.36 has them: `name:type`, where a type is
 * one of the words below or another entry, `[]T` a list and `{}T` a map. What the agent never reads of a manifest
 * (the status) is `any`.
 */
export type SchemaWord =
  | 'string'
  | 'int'
  | 'long'
  | 'bool'
  | 'Quantity'
  | 'IntOrString'
  | 'time'
  | 'bytes'
  | 'any';

export const podSchema: Readonly<Record<string, string>> = {
  AWSElasticBlockStoreVolumeSource: 'fsType:string partition:int readOnly:bool volumeID:string',
  Affinity: 'nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAntiAffinity',
  AppArmorProfile: 'localhostProfile:string type:string',
  AzureDiskVolumeSource:
    'cachingMode:string diskName:string diskURI:string fsType:string kind:string readOnly:bool',
  AzureFileVolumeSource: 'readOnly:bool secretName:string shareName:string',
  CSIVolumeSource:
    'driver:string fsType:string nodePublishSecretRef:LocalObjectReference readOnly:bool ' +
    'volumeAttributes:{}string',
  Capabilities: 'add:[]string drop:[]string',
  CephFSVolumeSource:
    'monitors:[]string path:string readOnly:bool secretFile:string secretRef:LocalObjectReference ' +
    'user:string',
  CinderVolumeSource: 'fsType:string readOnly:bool secretRef:LocalObjectReference volumeID:string',
  ClusterTrustBundleProjection:
    'labelSelector:LabelSelector name:string optional:bool path:string signerName:string',
  ConfigMap:
    'apiVersion:string binaryData:{}bytes data:{}string immutable:bool kind:string metadata:ObjectMeta',
  ConfigMapEnvSource: 'name:string optional:bool',
  ConfigMapKeySelector: 'key:string name:string optional:bool',
  ConfigMapProjection: 'items:[]KeyToPath name:string optional:bool',
  ConfigMapVolumeSource: 'defaultMode:int items:[]KeyToPath name:string optional:bool',
  Container:
    'args:[]string command:[]string env:[]EnvVar envFrom:[]EnvFromSource image:string ' +
    'imagePullPolicy:string lifecycle:Lifecycle livenessProbe:Probe name:string ports:[]ContainerPort ' +
    'readinessProbe:Probe resizePolicy:[]ContainerResizePolicy resources:ResourceRequirements ' +
    'restartPolicy:string restartPolicyRules:[]ContainerRestartRule securityContext:SecurityContext ' +
    'startupProbe:Probe stdin:bool stdinOnce:bool terminationMessagePath:string ' +
    'terminationMessagePolicy:string tty:bool volumeDevices:[]VolumeDevice volumeMounts:[]VolumeMount ' +
    'workingDir:string',
  ContainerPort: 'containerPort:int hostIP:string hostPort:int name:string protocol:string',
  ContainerResizePolicy: 'resourceName:string restartPolicy:string',
  ContainerRestartRule: 'action:string exitCodes:ContainerRestartRuleOnExitCodes',
  ContainerRestartRuleOnExitCodes: 'operator:string values:[]int',
  CoreV1ResourceClaim: 'name:string request:string',
  DownwardAPIProjection: 'items:[]DownwardAPIVolumeFile',
  DownwardAPIVolumeFile:
    'fieldRef:ObjectFieldSelector mode:int path:string resourceFieldRef:ResourceFieldSelector',
  DownwardAPIVolumeSource: 'defaultMode:int items:[]DownwardAPIVolumeFile',
  EmptyDirVolumeSource: 'medium:string sizeLimit:Quantity',
  EnvFromSource: 'configMapRef:ConfigMapEnvSource prefix:string secretRef:SecretEnvSource',
  EnvVar: 'name:string value:string valueFrom:EnvVarSource',
  EnvVarSource:
    'configMapKeyRef:ConfigMapKeySelector fieldRef:ObjectFieldSelector fileKeyRef:FileKeySelector ' +
    'resourceFieldRef:ResourceFieldSelector secretKeyRef:SecretKeySelector',
  EphemeralContainer:
    'args:[]string command:[]string env:[]EnvVar envFrom:[]EnvFromSource image:string ' +
    'imagePullPolicy:string lifecycle:Lifecycle livenessProbe:Probe name:string ports:[]ContainerPort ' +
    'readinessProbe:Probe resizePolicy:[]ContainerResizePolicy resources:ResourceRequirements ' +
    'restartPolicy:string restartPolicyRules:[]ContainerRestartRule securityContext:SecurityContext ' +
    'startupProbe:Probe stdin:bool stdinOnce:bool targetContainerName:string ' +
    'terminationMessagePath:string terminationMessagePolicy:string tty:bool ' +
    'volumeDevices:[]VolumeDevice volumeMounts:[]VolumeMount workingDir:string',
  EphemeralVolumeSource: 'volumeClaimTemplate:PersistentVolumeClaimTemplate',
  ExecAction: 'command:[]string',
  FCVolumeSource: 'fsType:string lun:int readOnly:bool targetWWNs:[]string wwids:[]string',
  FileKeySelector: 'key:string optional:bool path:string volumeName:string',
  FlexVolumeSource:
    'driver:string fsType:string options:{}string readOnly:bool secretRef:LocalObjectReference',
  FlockerVolumeSource: 'datasetName:string datasetUUID:string',
  GCEPersistentDiskVolumeSource: 'fsType:string partition:int pdName:string readOnly:bool',
  GRPCAction: 'port:int service:string',
  GitRepoVolumeSource: 'directory:string repository:string revision:string',
  GlusterfsVolumeSource: 'endpoints:string path:string readOnly:bool',
  HTTPGetAction: 'host:string httpHeaders:[]HTTPHeader path:string port:IntOrString scheme:string',
  HTTPHeader: 'name:string value:string',
  HostAlias: 'hostnames:[]string ip:string',
  HostPathVolumeSource: 'path:string type:string',
  ISCSIVolumeSource:
    'chapAuthDiscovery:bool chapAuthSession:bool fsType:string initiatorName:string iqn:string ' +
    'iscsiInterface:string lun:int portals:[]string readOnly:bool secretRef:LocalObjectReference ' +
    'targetPortal:string',
  ImageVolumeSource: 'pullPolicy:string reference:string',
  KeyToPath: 'key:string mode:int path:string',
  LabelSelector: 'matchExpressions:[]LabelSelectorRequirement matchLabels:{}string',
  LabelSelectorRequirement: 'key:string operator:string values:[]string',
  Lifecycle: 'postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:string',
  LifecycleHandler: 'exec:ExecAction httpGet:HTTPGetAction sleep:SleepAction tcpSocket:TCPSocketAction',
  LocalObjectReference: 'name:string',
  ManagedFieldsEntry:
    'apiVersion:string fieldsType:string fieldsV1:any manager:string operation:string ' +
    'subresource:string time:time',
  NFSVolumeSource: 'path:string readOnly:bool server:string',
  NodeAffinity:
    'preferredDuringSchedulingIgnoredDuringExecution:[]PreferredSchedulingTerm ' +
    'requiredDuringSchedulingIgnoredDuringExecution:NodeSelector',
  NodeSelector: 'nodeSelectorTerms:[]NodeSelectorTerm',
  NodeSelectorRequirement: 'key:string operator:string values:[]string',
  NodeSelectorTerm: 'matchExpressions:[]NodeSelectorRequirement matchFields:[]NodeSelectorRequirement',
  ObjectFieldSelector: 'apiVersion:string fieldPath:string',
  ObjectMeta:
    'annotations:{}string creationTimestamp:time deletionGracePeriodSeconds:long deletionTimestamp:time ' +
    'finalizers:[]string generateName:string generation:long labels:{}string ' +
    'managedFields:[]ManagedFieldsEntry name:string namespace:string ownerReferences:[]OwnerReference ' +
    'resourceVersion:string selfLink:string uid:string',
  OwnerReference:
    'apiVersion:string blockOwnerDeletion:bool controller:bool kind:string name:string uid:string',
  PersistentVolumeClaimSpec:
    'accessModes:[]string dataSource:TypedLocalObjectReference dataSourceRef:TypedObjectReference ' +
    'resources:VolumeResourceRequirements selector:LabelSelector storageClassName:string ' +
    'volumeAttributesClassName:string volumeMode:string volumeName:string',
  PersistentVolumeClaimTemplate: 'metadata:ObjectMeta spec:PersistentVolumeClaimSpec',
  PersistentVolumeClaimVolumeSource: 'claimName:string readOnly:bool',
  PhotonPersistentDiskVolumeSource: 'fsType:string pdID:string',
  Pod: 'apiVersion:string kind:string metadata:ObjectMeta spec:PodSpec status:any',
  PodAffinity:
    'preferredDuringSchedulingIgnoredDuringExecution:[]WeightedPodAffinityTerm ' +
    'requiredDuringSchedulingIgnoredDuringExecution:[]PodAffinityTerm',
  PodAffinityTerm:
    'labelSelector:LabelSelector matchLabelKeys:[]string mismatchLabelKeys:[]string ' +
    'namespaceSelector:LabelSelector namespaces:[]string topologyKey:string',
  PodAntiAffinity:
    'preferredDuringSchedulingIgnoredDuringExecution:[]WeightedPodAffinityTerm ' +
    'requiredDuringSchedulingIgnoredDuringExecution:[]PodAffinityTerm',
  PodCertificateProjection:
    'certificateChainPath:string credentialBundlePath:string keyPath:string keyType:string ' +
    'maxExpirationSeconds:int signerName:string userAnnotations:{}string',
  PodDNSConfig: 'nameservers:[]string options:[]PodDNSConfigOption searches:[]string',
  PodDNSConfigOption: 'name:string value:string',
  PodOS: 'name:string',
  PodReadinessGate: 'conditionType:string',
  PodResourceClaim: 'name:string resourceClaimName:string resourceClaimTemplateName:string',
  PodSchedulingGate: 'name:string',
  PodSchedulingGroup: 'podGroupName:string',
  PodSecurityContext:
    'appArmorProfile:AppArmorProfile fsGroup:long fsGroupChangePolicy:string runAsGroup:long ' +
    'runAsNonRoot:bool runAsUser:long seLinuxChangePolicy:string seLinuxOptions:SELinuxOptions ' +
    'seccompProfile:SeccompProfile supplementalGroups:[]long supplementalGroupsPolicy:string ' +
    'sysctls:[]Sysctl windowsOptions:WindowsSecurityContextOptions',
  PodSpec:
    'activeDeadlineSeconds:long affinity:Affinity automountServiceAccountToken:bool ' +
    'containers:[]Container dnsConfig:PodDNSConfig dnsPolicy:string enableServiceLinks:bool ' +
    'ephemeralContainers:[]EphemeralContainer hostAliases:[]HostAlias hostIPC:bool hostNetwork:bool ' +
    'hostPID:bool hostUsers:bool hostname:string hostnameOverride:string ' +
    'imagePullSecrets:[]LocalObjectReference initContainers:[]Container nodeName:string ' +
    'nodeSelector:{}string os:PodOS overhead:{}Quantity preemptionPolicy:string priority:int ' +
    'priorityClassName:string readinessGates:[]PodReadinessGate resourceClaims:[]PodResourceClaim ' +
    'resources:ResourceRequirements restartPolicy:string runtimeClassName:string schedulerName:string ' +
    'schedulingGates:[]PodSchedulingGate schedulingGroup:PodSchedulingGroup ' +
    'securityContext:PodSecurityContext serviceAccount:string serviceAccountName:string ' +
    'setHostnameAsFQDN:bool shareProcessNamespace:bool subdomain:string ' +
    'terminationGracePeriodSeconds:long tolerations:[]Toleration ' +
    'topologySpreadConstraints:[]TopologySpreadConstraint volumes:[]Volume',
  PortworxVolumeSource: 'fsType:string readOnly:bool volumeID:string',
  PreferredSchedulingTerm: 'preference:NodeSelectorTerm weight:int',
  Probe:
    'exec:ExecAction failureThreshold:int grpc:GRPCAction httpGet:HTTPGetAction initialDelaySeconds:int ' +
    'periodSeconds:int successThreshold:int tcpSocket:TCPSocketAction ' +
    'terminationGracePeriodSeconds:long timeoutSeconds:int',
  ProjectedVolumeSource: 'defaultMode:int sources:[]VolumeProjection',
  QuobyteVolumeSource: 'group:string readOnly:bool registry:string tenant:string user:string volume:string',
  RBDVolumeSource:
    'fsType:string image:string keyring:string monitors:[]string pool:string readOnly:bool ' +
    'secretRef:LocalObjectReference user:string',
  ResourceFieldSelector: 'containerName:string divisor:Quantity resource:string',
  ResourceRequirements: 'claims:[]CoreV1ResourceClaim limits:{}Quantity requests:{}Quantity',
  SELinuxOptions: 'level:string role:string type:string user:string',
  ScaleIOVolumeSource:
    'fsType:string gateway:string protectionDomain:string readOnly:bool secretRef:LocalObjectReference ' +
    'sslEnabled:bool storageMode:string storagePool:string system:string volumeName:string',
  SeccompProfile: 'localhostProfile:string type:string',
  Secret:
    'apiVersion:string data:{}bytes immutable:bool kind:string metadata:ObjectMeta stringData:{}string ' +
    'type:string',
  SecretEnvSource: 'name:string optional:bool',
  SecretKeySelector: 'key:string name:string optional:bool',
  SecretProjection: 'items:[]KeyToPath name:string optional:bool',
  SecretVolumeSource: 'defaultMode:int items:[]KeyToPath optional:bool secretName:string',
  SecurityContext:
    'allowPrivilegeEscalation:bool appArmorProfile:AppArmorProfile capabilities:Capabilities ' +
    'privileged:bool procMount:string readOnlyRootFilesystem:bool runAsGroup:long runAsNonRoot:bool ' +
    'runAsUser:long seLinuxOptions:SELinuxOptions seccompProfile:SeccompProfile ' +
    'windowsOptions:WindowsSecurityContextOptions',
  ServiceAccountTokenProjection: 'audience:string expirationSeconds:long path:string',
  SleepAction: 'seconds:long',
  StorageOSVolumeSource:
    'fsType:string readOnly:bool secretRef:LocalObjectReference volumeName:string ' +
    'volumeNamespace:string',
  Sysctl: 'name:string value:string',
  TCPSocketAction: 'host:string port:IntOrString',
  Toleration: 'effect:string key:string operator:string tolerationSeconds:long value:string',
  TopologySpreadConstraint:
    'labelSelector:LabelSelector matchLabelKeys:[]string maxSkew:int minDomains:int ' +
    'nodeAffinityPolicy:string nodeTaintsPolicy:string topologyKey:string whenUnsatisfiable:string',
  TypedLocalObjectReference: 'apiGroup:string kind:string name:string',
  TypedObjectReference: 'apiGroup:string kind:string name:string namespace:string',
  Volume:
    'awsElasticBlockStore:AWSElasticBlockStoreVolumeSource azureDisk:AzureDiskVolumeSource ' +
    'azureFile:AzureFileVolumeSource cephfs:CephFSVolumeSource cinder:CinderVolumeSource ' +
    'configMap:ConfigMapVolumeSource csi:CSIVolumeSource downwardAPI:DownwardAPIVolumeSource ' +
    'emptyDir:EmptyDirVolumeSource ephemeral:EphemeralVolumeSource fc:FCVolumeSource ' +
    'flexVolume:FlexVolumeSource flocker:FlockerVolumeSource ' +
    'gcePersistentDisk:GCEPersistentDiskVolumeSource gitRepo:GitRepoVolumeSource ' +
    'glusterfs:GlusterfsVolumeSource hostPath:HostPathVolumeSource image:ImageVolumeSource ' +
    'iscsi:ISCSIVolumeSource name:string nfs:NFSVolumeSource ' +
    'persistentVolumeClaim:PersistentVolumeClaimVolumeSource ' +
    'photonPersistentDisk:PhotonPersistentDiskVolumeSource portworxVolume:PortworxVolumeSource ' +
    'projected:ProjectedVolumeSource quobyte:QuobyteVolumeSource rbd:RBDVolumeSource ' +
    'scaleIO:ScaleIOVolumeSource secret:SecretVolumeSource storageos:StorageOSVolumeSource ' +
    'vsphereVolume:VsphereVirtualDiskVolumeSource',
  VolumeDevice: 'devicePath:string name:string',
  VolumeMount:
    'mountPath:string mountPropagation:string name:string readOnly:bool recursiveReadOnly:string ' +
    'subPath:string subPathExpr:string',
  VolumeProjection:
    'clusterTrustBundle:ClusterTrustBundleProjection configMap:ConfigMapProjection ' +
    'downwardAPI:DownwardAPIProjection podCertificate:PodCertificateProjection secret:SecretProjection ' +
    'serviceAccountToken:ServiceAccountTokenProjection',
  VolumeResourceRequirements: 'limits:{}Quantity requests:{}Quantity',
  VsphereVirtualDiskVolumeSource:
    'fsType:string storagePolicyID:string storagePolicyName:string volumePath:string',
  WeightedPodAffinityTerm: 'podAffinityTerm:PodAffinityTerm weight:int',
  WindowsSecurityContextOptions:
    'gmsaCredentialSpec:string gmsaCredentialSpecName:string hostProcess:bool runAsUserName:string',
};
