// A small network for containers: public subnets, nothing that costs while nothing runs.
//
// Tasks have public addresses and let nobody in. The alternatives cost while idle: a NAT gateway about 33 USD a month, the
// interface endpoints for images and logs about 7 USD a month each and zone. Traffic to S3 and DynamoDB goes through gateway
// endpoints, which are free. docs/deploy.md reckons it.
import { nameOf } from "./names.ts";

const CIDR = "10.72.0.0/20";
/** More zones have more spare capacity; a subnet costs nothing. */
const ZONES = 3;

export function createNetwork() {
  const zones = aws.getAvailabilityZonesOutput({
    state: "available",
    filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
  });
  const region = aws.getRegionOutput().region;
  const tags = (what: string) => ({ Name: nameOf(what) });
  const vpc = new aws.ec2.Vpc("Network", {
    cidrBlock: CIDR,
    enableDnsHostnames: true,
    enableDnsSupport: true,
    tags: tags("network"),
  });
  // Whoever forgets to name a security group gets one that lets nothing through.
  new aws.ec2.DefaultSecurityGroup("NetworkDefault", { vpcId: vpc.id, ingress: [], egress: [] });
  const gateway = new aws.ec2.InternetGateway("NetworkGateway", { vpcId: vpc.id, tags: tags("network") });
  const routes = new aws.ec2.RouteTable("NetworkRoutes", {
    vpcId: vpc.id,
    routes: [{ cidrBlock: "0.0.0.0/0", gatewayId: gateway.id }],
    tags: tags("network"),
  });
  const subnets = Array.from({ length: ZONES }, (_, at) => {
    const subnet = new aws.ec2.Subnet(`NetworkSubnet${at + 1}`, {
      vpcId: vpc.id,
      // A region with two zones has the third subnet in its first.
      availabilityZone: zones.names.apply((names) => names[at % names.length]!),
      cidrBlock: `10.72.${at * 4}.0/22`,
      mapPublicIpOnLaunch: true,
      tags: tags(`network-${at + 1}`),
    });
    new aws.ec2.RouteTableAssociation(`NetworkSubnet${at + 1}Routes`, { subnetId: subnet.id, routeTableId: routes.id });
    return subnet;
  });
  for (const service of ["s3", "dynamodb"]) {
    new aws.ec2.VpcEndpoint(service === "s3" ? "NetworkS3" : "NetworkDynamoDB", {
      vpcId: vpc.id,
      serviceName: $interpolate`com.amazonaws.${region}.${service}`,
      vpcEndpointType: "Gateway",
      routeTableIds: [routes.id],
      tags: tags(`network-${service}`),
    });
  }
  const workers = new aws.ec2.SecurityGroup("NetworkWorkers", {
    vpcId: vpc.id,
    description: "Workers: nothing comes in, HTTPS goes out",
    ingress: [],
    egress: [{ protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: ["0.0.0.0/0"] }],
    tags: tags("workers"),
  });
  return { vpc, subnetIds: subnets.map((subnet) => subnet.id), workers };
}
export type Network = ReturnType<typeof createNetwork>;
